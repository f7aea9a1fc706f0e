"""What the registry's JSON takes and gives, shared by its files of routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from unibos.wire import pin

# One line of text: no control characters, which a terminal would obey and PostgreSQL would refuse (NUL).
LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Line = Annotated[str, StringConstraints(pattern=LINE)]
# 32 bytes in the one way to write them: a key that was revoked must not come back spelled with other spare bits at its end.
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{0,126}={0,2}$", max_length=128)]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,36}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,100}$")]
Status = Literal["online", "offline", "maintenance", "unreachable"]
Type = Literal["standard", "edge", "desktop"]
CAPABILITIES = ("gpu", "camera", "gpio", "lora", "storage_gb", "ram_gb", "cpu_cores")
Capability = Literal["gpu", "camera", "gpio", "lora", "storage_gb", "ram_gb", "cpu_cores"]
LARGE = 1e9


class Strict(BaseModel):
    """Input that takes no unknown field."""

    model_config = ConfigDict(extra="forbid")


class Capabilities(BaseModel):
    """What a machine has (spec section 5). Unknown words of newer versions are let pass and not kept."""

    gpu: bool = False
    camera: bool = False
    gpio: bool = False
    lora: bool = False
    storage_gb: float = Field(0, ge=0, le=LARGE, allow_inf_nan=False)
    ram_gb: float = Field(0, ge=0, le=LARGE, allow_inf_nan=False)
    cpu_cores: int = Field(0, ge=0, le=65536)
    platform: Line = Field("", max_length=120)


class About(BaseModel):
    """What a node says of itself; fields of newer versions are let pass."""

    hostname: str = Field(max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    type: Type = "standard"
    platform: Line = Field("", max_length=120)
    url: str = Field("", max_length=300, pattern=r"^(https?://[^\s\x00-\x1f\x7f/]+)?$")
    version: Line = Field("", max_length=32)
    modules: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]] = Field(default_factory=list, max_length=64)
    queues: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]] = Field(default_factory=list, max_length=32)
    capabilities: Capabilities = Field(default_factory=Capabilities)
    authority: str = Field("", max_length=pin.MAX_PEM)

    @field_validator("authority")
    @classmethod
    def one_authority(cls, value: str) -> str:
        """Nothing, or the PEM of exactly one CA certificate, written as we write it."""
        return pin.pem(pin.der(value)) if value else ""


class Metrics(BaseModel):
    """Load in percent, temperature in °C, queue depth, sync lag in seconds."""

    cpu: float | None = Field(None, ge=0, le=100)
    memory: float | None = Field(None, ge=0, le=100)
    disk: float | None = Field(None, ge=0, le=100)
    temperature: float | None = Field(None, ge=-100, le=300)
    queue: int | None = Field(None, ge=0, le=int(LARGE))
    lag: float | None = Field(None, ge=0, le=LARGE)
    uptime: float | None = Field(None, ge=0, le=1e12)


class NodeOut(BaseModel):
    """A node as people see it."""

    id: str
    hostname: str
    kind: str
    type: str
    platform: str
    url: str
    version: str
    modules: list[str]
    queues: list[str]
    capabilities: dict[str, Any]
    fingerprint: str
    trust: int
    trust_name: str
    trust_why: str
    status: Status
    why: str
    maintenance: dict[str, Any] | None
    revoked_at: str | None
    revoked_why: str
    last_heartbeat: str | None
    clock_offset: float | None
    clock_why: str
    metrics: dict[str, Any]
    joined_at: str


class NodesOut(BaseModel):
    """Nodes."""

    items: list[NodeOut]


class RevocationsOut(BaseModel):
    """The signed list of revoked nodes (docs/spec/revocations.md)."""

    org_id: str
    sequence: int
    nodes: list[dict[str, Any]]
    signature: str
    signer: str
