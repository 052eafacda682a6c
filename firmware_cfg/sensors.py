"""Every kind of sensor a unit may have: what its table in a hub's TOML file may say."""

from __future__ import annotations

from abc import abstractmethod
from math import hypot
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from firmware_cfg.wire import UNIT_ITSELF, Name


class ConfigModel(BaseModel):
    """Unknown keys are errors: a misspelt key must not become a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Sensor(ConfigModel):
    name: Name
    entrance: Name | None = None
    room: Name | None = None

    @field_validator("name")
    @classmethod
    def _not_the_unit(cls, value: str) -> str:
        if value == UNIT_ITSELF:
            raise ValueError(f"{UNIT_ITSELF!r} means the unit itself; give the sensor another name")
        return value

    def pins(self) -> list[str]:
        """The GPIO pins this sensor has for itself."""
        return []

    def ports(self) -> list[str]:
        """The serial ports this sensor has for itself."""
        return []


GpioPin = Annotated[int, Field(ge=0, le=27)]


class PinsConfig(_Sensor):
    """Reads GPIO pins, which are BCM numbers, by the kernel's own interface (`gpiod`) or by gpiozero.

    `chip` is the label of the GPIO chip that has them, where it is not a Raspberry Pi's own.
    """

    driver: Literal["gpiod", "gpiozero"] = "gpiod"
    chip: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_that_knows_chips(self) -> Self:
        if self.chip is not None and self.driver == "gpiozero":
            raise ValueError("chip is for driver gpiod; gpiozero finds a Raspberry Pi's own by itself")
        return self

    def pins(self) -> list[str]:
        of_chip = f" of {self.chip}" if self.chip else ""
        return [f"{pin}{of_chip}" for pin in self.numbers()]

    @abstractmethod
    def numbers(self) -> list[int]:
        """Its pins' numbers, of those that are fitted."""


class BeamPair(PinsConfig):
    """Two light beams across an entrance; `blocked` is the pin's level with the beam blocked."""

    kind: Literal["beam-pair"]
    entrance: Name
    outer_pin: GpioPin
    inner_pin: GpioPin
    blocked: Literal["high", "low"] = "high"
    separation_m: Annotated[float, Field(ge=0.02, le=2.0)] | None = None
    debounce_ms: Annotated[float, Field(ge=0, le=100)] = 8.0

    @model_validator(mode="after")
    def _two_pins(self) -> Self:
        if self.outer_pin == self.inner_pin:
            raise ValueError(f"outer_pin and inner_pin are both {self.outer_pin}; each beam needs a pin of its own")
        return self

    def numbers(self) -> list[int]:
        return [self.outer_pin, self.inner_pin]


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Minutes = Annotated[float, Field(gt=0, le=1_440)]
BaudRate = Annotated[int, Field(ge=1200, le=4_000_000)]
Mm = Annotated[float, Field(ge=-10_000, le=10_000)]
PointMm = tuple[Mm, Mm]
LINE_MM_MIN = 300
REGISTERS_EACH = 2
REGISTERS_AT_ONCE = 125  # as Modbus has it


class Cabinet(PinsConfig):
    """A defibrillator cabinet's contacts and thermometer; what has no pin or path is not fitted.

    Contacts close to ground when all is well (door shut, AED in its place, mains on), so that a cut wire alarms;
    `inverted` names those that open when all is well. `temperature` is the thermometer's file, `*` for whichever
    there is. An AED's status light flashes every `light_period_s`.
    """

    kind: Literal["cabinet"]
    door_pin: GpioPin | None = None
    aed_pin: GpioPin | None = None
    mains_pin: GpioPin | None = None
    light_pin: GpioPin | None = None
    temperature: Annotated[str, Field(min_length=1)] | None = None
    inverted: list[Literal["door", "aed", "mains"]] = []
    door_open_s: Seconds = 120
    cold_c: float = 5.0
    cold_min: Minutes = 10
    frost_c: float = 0.0
    heat_c: float = 50.0
    temperature_silent_min: Minutes = 5
    light_period_s: Seconds = 5
    heartbeat_min: Minutes = 5

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.numbers() and self.temperature is None:
            raise ValueError("nothing is fitted; give door_pin, aed_pin, mains_pin, light_pin or temperature")
        for part in self.inverted:
            if getattr(self, f"{part}_pin") is None:
                raise ValueError(f"inverted names {part!r}, but there is no {part}_pin")
        if not self.frost_c < self.cold_c < self.heat_c:
            raise ValueError(f"frost_c {self.frost_c}, cold_c {self.cold_c}, heat_c {self.heat_c} must rise")
        return self

    def numbers(self) -> list[int]:
        return [pin for pin in (self.door_pin, self.aed_pin, self.mains_pin, self.light_pin) if pin is not None]


class RoomWeights(ConfigModel):
    """How much each sign counts, in log-odds: how many times likelier it is with somebody there, as a logarithm."""

    pir: Annotated[float, Field(ge=0, le=10)] = 4.0
    moving: Annotated[float, Field(ge=0, le=10)] = 2.5
    still: Annotated[float, Field(ge=0, le=10)] = 1.5
    door: Annotated[float, Field(ge=0, le=10)] = 2.0
    shut: Annotated[float, Field(ge=0, le=10)] = 4.0
    clear: Annotated[float, Field(ge=0, le=10)] = 2.0


class RoomPresence(PinsConfig):
    """Whether somebody is in a room, by PIR, presence radar and door contact; what has no pin or port is not fitted.

    A PIR's line is high while it sees movement and `pir_hold_s` longer. The door's contact closes to ground when the
    door is shut. `inverted` names lines that are the other way round.
    """

    kind: Literal["room"]
    room: Name
    pir_pin: GpioPin | None = None
    pir_hold_s: Seconds = 5
    pir_warm_up_s: Annotated[float, Field(ge=0, le=600)] = 60
    door_pin: GpioPin | None = None
    radar_port: Annotated[str, Field(min_length=1)] | None = None
    radar_model: Literal["ld2410", "ld2410s"] = "ld2410"
    radar_max_cm: Annotated[int, Field(ge=50, le=1_000)] = 600
    inverted: list[Literal["pir", "door"]] = []
    vacant_after_door_min: Minutes = 5
    vacant_after_min: Minutes = 15
    silent_s: Seconds = 30
    dwell_s: Annotated[float, Field(ge=0, le=3_600)] = 30
    heartbeat_min: Minutes = 5
    weights: RoomWeights = RoomWeights()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.pir_pin is None and self.radar_port is None:
            raise ValueError("nothing here sees people; give pir_pin or radar_port")
        for part in self.inverted:
            if getattr(self, f"{part}_pin") is None:
                raise ValueError(f"inverted names {part!r}, but there is no {part}_pin")
        if self.vacant_after_min < self.vacant_after_door_min:
            raise ValueError("vacant_after_min is less than vacant_after_door_min")
        return self

    def numbers(self) -> list[int]:
        return [pin for pin in (self.pir_pin, self.door_pin) if pin is not None]

    def ports(self) -> list[str]:
        return [] if self.radar_port is None else [self.radar_port]


class SerialConfig(_Sensor):
    """Read over a serial port. `/dev/serial/by-id/…` stays the same whatever is plugged in first.

    After `silent_s` without a valid frame a fault is raised.
    """

    entrance: Name
    port: Annotated[str, Field(min_length=1, max_length=255)]
    baud_rate: BaudRate
    silent_s: Seconds

    def ports(self) -> list[str]:
        return [self.port]


class RadarLine(SerialConfig):
    """An HLK-LD2450 radar counting who crosses a line on the floor. Points are x, y in mm as the radar gives them.

    `line_mm` is the threshold from one end of the opening to the other, best with half a metre or more on either side
    in the radar's sight; `inside_mm` is any point inside. Somebody has crossed once `clear_mm` beyond the line.
    """

    kind: Literal["ld2450"]
    baud_rate: BaudRate = 256_000
    silent_s: Seconds = 10.0
    line_mm: tuple[PointMm, PointMm]
    inside_mm: PointMm
    clear_mm: Annotated[float, Field(ge=100, le=1500)] = 300.0

    @model_validator(mode="after")
    def _two_sides(self) -> Self:
        (x1, y1), (x2, y2) = self.line_mm
        x, y = self.inside_mm
        length_mm = hypot(x2 - x1, y2 - y1)
        if length_mm < LINE_MM_MIN:
            raise ValueError(f"line_mm is {length_mm:.0f} mm long; give the two ends of the opening")
        if abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / length_mm < self.clear_mm:
            raise ValueError(
                f"inside_mm is less than clear_mm ({self.clear_mm:g}) from the line; give a point well inside"
            )
        return self


class _Totals(SerialConfig):
    """Tells how many persons it has counted since it was switched on.

    More than `persons_per_minute_max` one way, over the time since the last reading, is taken for a new start.
    """

    persons_per_minute_max: Annotated[float, Field(gt=0, le=1000)] = 60.0
    silent_s: Seconds = 60.0


class TerabeeEvo(_Totals):
    """Terabee Evo People Counter."""

    kind: Literal["terabee-evo"]
    baud_rate: BaudRate = 115_200


class ModbusCounter(_Totals):
    """A people counter on Modbus RTU: persons in and out in two input registers each (function 04).

    `in_register` and `out_register` are the first of each pair, counted from 0.
    """

    kind: Literal["modbus-counter"]
    baud_rate: BaudRate = 9600
    parity: Literal["none", "even", "odd"] = "none"
    address: Annotated[int, Field(ge=1, le=247)] = 1
    in_register: Annotated[int, Field(ge=0, le=65_534)] = 0
    out_register: Annotated[int, Field(ge=0, le=65_534)] = 2
    word_order: Literal["high-first", "low-first"] = "high-first"
    poll_s: Annotated[float, Field(ge=0.5, le=3600)] = 5.0

    @model_validator(mode="after")
    def _one_request(self) -> Self:
        apart = abs(self.in_register - self.out_register)
        if not REGISTERS_EACH <= apart <= REGISTERS_AT_ONCE - REGISTERS_EACH:
            raise ValueError(
                f"in_register {self.in_register} and out_register {self.out_register} are {apart} apart; expected "
                f"{REGISTERS_EACH} to {REGISTERS_AT_ONCE - REGISTERS_EACH}: two registers each, all read at once"
            )
        if self.silent_s < 2 * self.poll_s:
            raise ValueError(f"silent_s {self.silent_s:g} is less than two polls of poll_s {self.poll_s:g}")
        return self


Sensor = Annotated[
    BeamPair | Cabinet | RoomPresence | RadarLine | TerabeeEvo | ModbusCounter, Field(discriminator="kind")
]
"""Every kind of sensor there is, told apart by `kind`."""
