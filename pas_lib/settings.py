"""All configuration in one typed object.

Precedence: environment, then ``.env``, then ``config.yaml``, then the defaults below. An invalid value is one line that
names the setting.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from pas_lib.errors import SettingsError

#: The folder that holds ``pas_lib``: the checkout.
PROJECT_ROOT = Path(__file__).resolve().parent.parent

#: The sandbox's name inside the compose network; a name without a dot leads nowhere else.
SANDBOX_SERVICE = "sandbox"
PAPER_HOST = "paper-api.alpaca.markets"
LIVE_HOST = "api.alpaca.markets"

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseModel):
    """The system's settings, validated once at start-up.

    Secrets are ``SecretStr``: they never show in a representation, a log or an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    # -- switches
    sources: Literal["sandbox", "public", "subscribed"] = Field("sandbox", validation_alias=_named("PAS_SOURCES"))
    broker: Literal["sandbox", "paper", "live"] = Field("sandbox", validation_alias=_named("PAS_BROKER"))
    database_url: str | None = Field(None, validation_alias=_named("PAS_DATABASE_URL"))

    # -- places
    home: Path = Field(PROJECT_ROOT / "var", validation_alias=_named("PAS_HOME"))
    landing_url: str = Field("", validation_alias=_named("PAS_LANDING_URL"))
    mirror_path: Path = Field(Path(), validation_alias=_named("PAS_MIRROR_PATH"))
    sandbox_url: str = Field("http://127.0.0.1:8765", validation_alias=_named("PAS_SANDBOX_URL"))
    api_host: str = Field("127.0.0.1", validation_alias=_named("PAS_API_HOST"))
    api_port: int = Field(8001, ge=1, le=65535, validation_alias=_named("PAS_API_PORT"))
    api_url: str = Field("", validation_alias=_named("PAS_API_URL"))
    api_requests_per_minute: int = Field(12_000, ge=10, validation_alias=_named("PAS_API_REQUESTS_PER_MINUTE"))
    airflow_port: int = Field(8080, ge=1, le=65535, validation_alias=_named("PAS_AIRFLOW_PORT"))
    airflow_url: str = Field("", validation_alias=_named("PAS_AIRFLOW_URL"))

    log_retention_days: int = Field(180, ge=1, validation_alias=_named("PAS_LOG_RETENTION_DAYS"))
    landing_retention_days: int = Field(0, ge=0, validation_alias=_named("PAS_LANDING_RETENTION_DAYS"))

    # -- credentials
    api_token: SecretStr | None = Field(None, validation_alias=_named("API_TOKEN"))
    api_read_token: SecretStr | None = Field(None, validation_alias=_named("API_READ_TOKEN"))
    airflow_password: SecretStr | None = Field(None, validation_alias=_named("AIRFLOW_ADMIN_PASSWORD"))
    alpaca_api_key: SecretStr | None = Field(None, validation_alias=_named("ALPACA_API_KEY"))
    alpaca_api_secret: SecretStr | None = Field(None, validation_alias=_named("ALPACA_API_SECRET"))
    alpaca_base_url: str | None = Field(None, validation_alias=_named("ALPACA_BASE_URL"))
    alpaca_feed: Literal["sip", "iex"] = Field("sip", validation_alias=_named("PAS_ALPACA_FEED"))
    fred_api_key: SecretStr | None = Field(None, validation_alias=_named("FRED_API_KEY"))
    quiver_api_key: SecretStr | None = Field(None, validation_alias=_named("QUIVER_API_KEY"))
    benzinga_api_key: SecretStr | None = Field(None, validation_alias=_named("BENZINGA_API_KEY"))

    # -- politeness
    quiver_rate_sec: float = Field(1.1, gt=0, validation_alias=_named("QUIVER_RATE_SEC"))
    http_timeout_sec: float = Field(30.0, gt=0, validation_alias=_named("PAS_HTTP_TIMEOUT_SEC"))
    contact: str | None = Field(None, validation_alias=_named("PAS_CONTACT"))
    senate_lda_url: str | None = Field(None, validation_alias=_named("PAS_SENATE_LDA_URL"))

    # -- where a dataset comes from
    dataset_sources: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, validation_alias=_named("PAS_DATASET_SOURCES")
    )

    # -- sizing
    allocation_method: str = Field("max_sharpe", validation_alias=_named("PAS_ALLOCATION_METHOD"))
    min_allocation: Fraction = Field(0.0, validation_alias=_named("MIN_ALLOCATION"))
    max_allocation: Fraction = Field(1.0, validation_alias=_named("MAX_ALLOCATION"))
    shrinkage: Literal["covariance", "correlation", "none"] = Field(
        "covariance", validation_alias=_named("PAS_SHRINKAGE")
    )
    gross_cap: Fraction = Field(1.0, validation_alias=_named("PAS_GROSS_CAP"))
    target_vol: float = Field(0.11, ge=0.10, le=0.12, validation_alias=_named("PAS_TARGET_VOL"))
    band: Fraction = Field(0.005, validation_alias=_named("PAS_BAND"))
    cost_bps: float = Field(10.0, ge=0, le=1000, validation_alias=_named("PAS_COST_BPS"))
    benchmark: str = Field("SPY", validation_alias=_named("PAS_BENCHMARK"))
    max_name_weight: Fraction = Field(0.10, validation_alias=_named("PAS_MAX_NAME_WEIGHT"))
    max_etf_weight: Fraction = Field(0.50, validation_alias=_named("PAS_MAX_ETF_WEIGHT"))
    max_sector_weight: Fraction = Field(0.50, validation_alias=_named("PAS_MAX_SECTOR_WEIGHT"))
    max_leveraged_weight: float = Field(1.5, ge=0, validation_alias=_named("PAS_MAX_LEVERAGED_WEIGHT"))
    max_var_99: Fraction = Field(0.05, validation_alias=_named("PAS_MAX_VAR_99"))
    max_adv_share: Fraction = Field(0.05, validation_alias=_named("PAS_MAX_ADV_SHARE"))
    risk_rules: str = Field(
        "drawdown > 0.10; daily_loss > 0.03; var_99 > 0.04", validation_alias=_named("PAS_RISK_RULES")
    )

    # -- notifications
    notify_urls: SecretStr | None = Field(None, validation_alias=_named("PAS_NOTIFY_URLS"))
    notify_timeout_sec: float = Field(15.0, gt=0, le=300, validation_alias=_named("PAS_NOTIFY_TIMEOUT_SEC"))

    # -- trading guards
    cash_buffer: Fraction = Field(0.02, validation_alias=_named("PAS_CASH_BUFFER"))
    max_order_notional: float = Field(25_000.0, gt=0, validation_alias=_named("PAS_MAX_ORDER_NOTIONAL"))
    max_session_turnover: float = Field(1.5, gt=0, validation_alias=_named("PAS_MAX_SESSION_TURNOVER"))
    min_trade_notional: float = Field(5.0, ge=1.0, validation_alias=_named("PAS_MIN_TRADE_NOTIONAL"))
    max_price_move: Fraction = Field(0.20, validation_alias=_named("PAS_MAX_PRICE_MOVE"))
    price_wait_sec: float = Field(900.0, ge=0, le=23_400, validation_alias=_named("PAS_PRICE_WAIT_SEC"))
    order_type: Literal["market", "limit"] = Field("market", validation_alias=_named("PAS_ORDER_TYPE"))
    limit_collar_bps: float = Field(50.0, gt=0, le=2000, validation_alias=_named("PAS_LIMIT_COLLAR_BPS"))
    limit_replacements: int = Field(2, ge=0, le=10, validation_alias=_named("PAS_LIMIT_REPLACEMENTS"))
    max_daily_loss: Fraction = Field(0.05, validation_alias=_named("PAS_MAX_DAILY_LOSS"))
    max_drawdown: Fraction = Field(0.20, validation_alias=_named("PAS_MAX_DRAWDOWN"))
    allow_live: bool = Field(False, validation_alias=_named("PAS_ALLOW_LIVE"))
    live_account: str | None = Field(None, validation_alias=_named("PAS_LIVE_ACCOUNT"))

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {k: v for k, v in data.items() if v is not None and v != ""}
        return data

    @field_validator("dataset_sources", mode="before")
    @classmethod
    def _read_dataset_sources(cls, value: Any) -> Any:
        """Read ``dataset=source+source, dataset=source``."""
        if not isinstance(value, str):
            return value
        chosen: dict[str, tuple[str, ...]] = {}
        for part in filter(None, (piece.strip() for piece in value.split(","))):
            name, sep, sources = part.partition("=")
            names = tuple(filter(None, (one.strip() for one in sources.split("+"))))
            if not sep or not name.strip() or not names:
                raise ValueError(f"{part!r} is not dataset=source (several sources joined by +)")
            chosen[name.strip()] = names
        return chosen

    @model_validator(mode="after")
    def _derive_and_check(self) -> Self:
        set_ = object.__setattr__
        set_(self, "home", self.home.expanduser().absolute())
        if not self.landing_url:
            set_(self, "landing_url", str(self.home / "landing"))
        if not self.airflow_url:
            set_(self, "airflow_url", f"http://127.0.0.1:{self.airflow_port}")
        if self.mirror_path == Path():
            set_(self, "mirror_path", self.home / "mirror" / "pas.duckdb")
        if self.min_allocation > self.max_allocation:
            raise ValueError("MIN_ALLOCATION is above MAX_ALLOCATION")
        host = urlsplit(self.sandbox_url).hostname or ""
        if not _is_loopback(host) and host != SANDBOX_SERVICE:
            raise ValueError(f"PAS_SANDBOX_URL must be a loopback address, not {host!r}")
        if self.broker != "sandbox" and self.alpaca_base_url:
            host = urlsplit(self.alpaca_base_url).hostname or ""
            want = LIVE_HOST if self.broker == "live" else PAPER_HOST
            if host != want and not _is_loopback(host):
                raise ValueError(f"ALPACA_BASE_URL is {host!r} but PAS_BROKER={self.broker} means {want!r}")
        if self.broker != "sandbox" and self.sources == "sandbox":
            raise ValueError(f"PAS_BROKER={self.broker} cannot trade on PAS_SOURCES=sandbox: origins never mix")
        return self

    @property
    def origin(self) -> Literal["sandbox", "real"]:
        """Where the data comes from; a warehouse is stamped with it when created."""
        return "sandbox" if self.sources == "sandbox" else "real"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def setting_names() -> dict[str, str]:
    """Return environment name -> field name for every setting."""
    names: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices):
            for choice in alias.choices:
                names[str(choice)] = field
    return names


def _read_dotenv(path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sep, value = text.removeprefix("export ").partition("=")
        if not sep:
            raise SettingsError(f"{path.name} line {number} is not NAME=value")
        values[name.strip()] = value.strip().strip("'\"")
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise SettingsError(f"{path.name}{where} is not valid YAML") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{path.name} must hold NAME: value pairs")
    return {str(k): v for k, v in data.items()}


def load_settings(env: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
    """Read settings from environment, ``.env`` and ``config.yaml``.

    Parameters
    ----------
    env : Mapping[str, str], optional
        The environment; ``os.environ`` by default.
    root : Path, optional
        The folder that holds ``.env`` and ``config.yaml``; the checkout by default.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        One line naming the setting and what is wrong with it.
    """
    env = os.environ if env is None else env
    root = PROJECT_ROOT if root is None else root
    known = setting_names()
    merged: dict[str, Any] = {}
    yaml_values = _read_yaml(root / "config.yaml")
    for name in yaml_values:
        if name not in known:
            raise SettingsError(f"config.yaml names an unknown setting {name!r}", hint="see .env.example")
    for layer in (yaml_values, _read_dotenv(root / ".env"), env):
        merged.update({name: layer[name] for name in known if name in layer})
    unknown = sorted(n for n in env if n.startswith("PAS_") and n not in known and not n.startswith(_INTERNAL))
    if unknown:
        raise SettingsError(f"unknown setting {unknown[0]}", hint="see .env.example")
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = str(first["loc"][0]) if first["loc"] else ""
        fields = {field: name for name, field in known.items()}
        name = fields.get(where, where)
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{name}: {message}" if name else message, hint="see .env.example") from None


#: Prefixes of variables the system sets for its own child processes.
_INTERNAL = ("PAS_DBT_", "PAS_AS_OF", "PAS_TEST_", "PAS_RUN_", "PAS_KILL_")
