"""Which features each role carries, in order of dependence. Light: no feature's code is loaded by this."""

from __future__ import annotations

from unibos.features.devices.feature import FEATURE as DEVICES
from unibos.features.export.feature import FEATURE as EXPORT
from unibos.features.home.feature import FEATURE as HOME
from unibos.features.identity import feature as identity
from unibos.features.jobs.feature import FEATURE as JOBS
from unibos.features.link.feature import FEATURE as LINK
from unibos.features.orgs import feature as orgs
from unibos.features.registry import feature as registry
from unibos.kernel.feature import Feature
from unibos.panel.feature import FEATURE as PANEL
from unibos.products.documents.feature import FEATURE as DOCUMENTS

HUB: tuple[Feature, ...] = (PANEL, EXPORT, identity.HUB, orgs.HUB, JOBS, registry.AUTHORITY, HOME)
NODE: tuple[Feature, ...] = (PANEL, EXPORT, LINK, identity.NODE, orgs.NODE, JOBS, registry.MEMBER, DEVICES, DOCUMENTS, HOME)
BY_ROLE = {"hub": HUB, "node": NODE}
EVERY: tuple[Feature, ...] = tuple({f.package + f.service: f for f in (*HUB, *NODE)}.values())
