"""What documents declares."""

from unibos.kernel.feature import Command, Export, Feature, JobType, Keep, Nav
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

FEATURE = Feature(
    name="documents",
    title=T("Documents"),
    package=__name__.rpartition(".")[0],
    needs=("identity", "orgs", "jobs"),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "pages:ROUTES"),
    jobs=(JobType("ocr.process_document", "ocr", "tasks:process_document", T("Read a document"), timeout=4 * 3600, attempts=4),),
    nav=(Nav("documents", "/documents/", T("Documents"), "o", "▤", 30),),
    cards=("pages:card",),
    search="pages:find",
    settings=(Setting("UNIBOS_UPLOAD_MB", "integer", 100, T("The largest file that can be uploaded, in megabytes (at most 512).")),
              Setting("UNIBOS_OCR_LANGUAGES", "text", "tur+eng", T("The languages that documents are read in."))),
    exports=(Export("documents", T("Documents with their text.")), Export("sensitive", T("Documents marked as sensitive."), "never")),
    commands=(Command("unibos", "documents", T("List and search documents."), "cli:documents"),),
    keeps=(Keep("document"), Keep("document_page"), Keep("files", "folder")),
    replicates={"document": "KEEP_BOTH", "document_page": "NEWER_WINS"},
    switch=True,
)
