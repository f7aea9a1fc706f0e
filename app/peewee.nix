# Newer than nixpkgs carries (3.19), because our migrations stand on those that came with 4.4. It is the only such package. Version and
# hash are those of requirements.lock; a test compares them.
{
  lib,
  buildPythonPackage,
  cython,
  fetchPypi,
  setuptools,
}:
buildPythonPackage rec {
  pname = "peewee";
  version = "4.5.3";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-Q0V2r6+AZCigH4SvdMQv3lk3LE9qbrom2bU3IRM0Soo=";
  };
  build-system = [
    cython
    setuptools
  ];
  # The source archive carries no tests but a helper of theirs.
  doCheck = false;
  pythonImportsCheck = [
    "peewee"
    "playhouse.migrations"
  ];
  meta = {
    description = "Small object-relational mapper";
    homepage = "https://docs.peewee-orm.com/";
    license = lib.licenses.mit;
  };
}
