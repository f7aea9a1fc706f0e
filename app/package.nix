# UNIBOS as one environment: the interpreter, our package and the five programs. `bin/python -m unibos.profiles…` is what the units run.
{
  lib,
  python3,
  tesseract,
  poppler-utils,
}:
let
  python = python3;
  peewee = python.pkgs.callPackage ./peewee.nix { };
  version = lib.head (builtins.match ".*__version__ = \"([0-9.]+)\".*" (builtins.readFile ./unibos/__init__.py));

  library = python.pkgs.buildPythonPackage {
    pname = "unibos";
    inherit version;
    pyproject = true;
    src = lib.fileset.toSource {
      root = ../.;
      fileset = lib.fileset.unions [
        ../pyproject.toml
        ../README.md
        (lib.fileset.fileFilter (file: !(file.hasExt "nix") && !(file.hasExt "pyc")) ./.)
        ../tests
      ];
    };
    build-system = [ python.pkgs.setuptools ];
    dependencies = [
      peewee
    ]
    ++ (with python.pkgs; [
      argon2-cffi
      babel
      click
      cryptography
      flask
      flask-sock
      gevent
      gunicorn
      packaging
      paho-mqtt
      pillow
      psutil
      psycopg2
      pydantic
      pyjwt
      pynacl
      redis
      requests
      rq
      segno
      setuptools
      tzdata
      webauthn
    ]);
    nativeCheckInputs = with python.pkgs; [
      hypothesis
      pytestCheckHook
    ];
    # What needs no server and no browser: the rest runs in CI.
    enabledTestPaths = [
      "tests/kernel"
      "tests/wire"
    ];
    # Nor PostgreSQL.
    disabledTests = [ "postgresql" ];
    pythonImportsCheck = [
      "unibos.profiles.web"
      "unibos.profiles.agent"
      "unibos.profiles.worker"
    ];
    meta = {
      description = "Hub, node and workers of an appliance that keeps people's data on their own hardware";
      license = lib.licenses.asl20;
      mainProgram = "unibos";
      platforms = lib.platforms.linux;
    };
  };

  environment = python.withPackages (_: [ library ]);

  # The same environment with the programs that a kind of worker runs.
  worker =
    kind: programs:
    (python.buildEnv.override {
      extraLibs = [ library ];
      makeWrapperArgs = lib.optional (programs != [ ]) "--prefix PATH : ${lib.makeBinPath programs}";
    }).overrideAttrs
      (old: {
        name = "unibos-worker-${kind}-${version}";
      });
in
environment.overrideAttrs (old: {
  name = "unibos-${version}";
  passthru = (old.passthru or { }) // {
    inherit python version;
    module = library;
    workers = {
      core = worker "core" [ ];
      ocr = worker "ocr" [
        tesseract
        poppler-utils
      ];
    };
  };
  meta = (old.meta or { }) // library.meta;
})
