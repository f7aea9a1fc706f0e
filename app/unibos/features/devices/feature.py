"""What devices declares."""

from unibos.kernel.feature import Command, Export, Feature, Keep, Nav
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

FEATURE = Feature(
    name="devices",
    title=T("Devices"),
    package=__name__.rpartition(".")[0],
    needs=("identity", "orgs"),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "pages:ROUTES"),
    loops="agent:loops",
    nav=(Nav("devices", "/devices/", T("Devices"), "d", "◉", 10),),
    cards=("pages:card",),
    search="pages:find",
    health="service:health",
    settings=(
        Setting("UNIBOS_MQTT_URL", "url", "", T("Address of an MQTT broker with the dynamic-security plugin; empty: the embedded one."), secret=True),
        Setting("UNIBOS_MQTT_PORT", "port", 1883, T("The port of the embedded broker, on this machine only.")),
        Setting("UNIBOS_MQTT_PUBLIC_HOST", "text", "", T("The host name that devices are told to connect to; empty: this one's.")),
        Setting("UNIBOS_MQTT_TLS_PORT", "port", 0, T("The port of the embedded broker for devices on the LAN, with TLS; 0: closed.")),
        Setting("UNIBOS_MQTT_PLAIN_PORT", "port", 0, T("The port of the embedded broker for devices on the LAN that have no TLS; 0: closed.")),
        Setting("UNIBOS_MQTT_CERTIFICATE", "path", "", T("The certificate that the embedded broker shows with TLS, and what it is signed with.")),
        Setting("UNIBOS_MQTT_KEY", "path", "", T("The file with the key of that certificate.")),
    ),
    exports=(Export("readings", T("What devices measured.")), Export("events", T("What devices did."))),
    commands=(Command("unibos", "devices", T("List devices, and make and remove their credentials."), "cli:devices"),),
    keeps=(Keep("credential"), Keep("device"), Keep("device_entity"), Keep("readings.sqlite", "file")),
    replicates={"device": "MERGE_FIELDS", "device_entity": "NEWER_WINS"},
    switch=True,
)
