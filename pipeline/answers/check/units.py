"""The units that numbers are read with: what each measures, and its size in a base unit."""

from __future__ import annotations

import re
from decimal import Decimal

# By word: the dimension, and the unit's size in the dimension's base unit: seconds, months, bytes,
# percent, metres, grams, dollars and so on. Pounds are money or weight: a dimension of their own.
_TABLE = (
    ("time", "0.001", "ms millisecond milliseconds"),
    ("time", "1", "s sec secs second seconds"),
    ("time", "60", "min mins minute minutes"),
    ("time", "3600", "h hr hrs hour hours"),
    ("time", "86400", "d day days"),
    ("time", "604800", "week weeks"),
    ("time", "1209600", "fortnight fortnights"),
    ("month", "1", "month months"),
    ("month", "12", "year years yr yrs"),
    ("month", "120", "decade decades"),
    ("month", "1200", "century centuries"),
    ("size", "1", "byte bytes"),
    ("size", "1000", "kb kilobyte kilobytes"),
    ("size", "1000000", "mb megabyte megabytes"),
    ("size", "1000000000", "gb gigabyte gigabytes"),
    ("size", "1000000000000", "tb terabyte terabytes"),
    ("size", "1024", "kib"),
    ("size", "1048576", "mib"),
    ("size", "1073741824", "gib"),
    ("share", "1", "% percent pct prozent"),
    ("length", "0.001", "mm millimetre millimetres millimeter millimeters"),
    ("length", "0.01", "cm centimetre centimetres centimeter centimeters"),
    ("length", "0.0254", "inch inches"),
    ("length", "0.3048", "ft foot feet"),
    ("length", "0.9144", "yard yards yd"),
    ("length", "1", "metre metres meter meters"),
    ("length", "1000", "km kilometre kilometres kilometer kilometers"),
    ("length", "1609.344", "mi mile miles"),
    ("mass", "0.001", "mg milligram milligrams"),
    ("mass", "1", "gram grams"),
    ("mass", "1000", "kg kilo kilos kilogram kilograms"),
    ("mass", "1000000", "tonne tonnes"),
    ("mass", "28.3495", "oz ounce ounces"),
    ("pound", "1", "lb lbs pound pounds"),
    ("area", "1", "m² sqm"),
    ("area", "10000", "ha hectare hectares"),
    ("area", "4046.86", "acre acres"),
    ("area", "1000000", "km²"),
    ("volume", "0.001", "ml millilitre millilitres milliliter milliliters"),
    ("volume", "1", "litre litres liter liters"),
    ("volume", "3.78541", "gallon gallons"),
    ("speed", "1", "km/h kph kmh"),
    ("speed", "1.609344", "mph"),
    ("power", "1", "watt watts"),
    ("power", "1000", "kw kilowatt kilowatts"),
    ("power", "1000000", "mw megawatt megawatts"),
    ("power", "1000000000", "gw gigawatt gigawatts"),
    ("energy", "1", "kwh"),
    ("energy", "1000", "mwh"),
    ("rate", "1", "hz hertz"),
    ("rate", "1000", "khz"),
    ("rate", "1000000", "mhz"),
    ("rate", "1000000000", "ghz"),
    ("degree", "1", "° degree degrees"),
    ("degree c", "1", "°c celsius"),
    ("degree f", "1", "°f fahrenheit"),
    ("$", "1", "$ usd dollar dollars buck bucks"),
    ("$", "0.01", "cent cents"),
    ("€", "1", "€ eur euro euros"),
    ("£", "1", "£ gbp"),
    ("£", "0.01", "pence"),
    ("¥", "1", "¥ yen jpy"),
)
UNITS: dict[str, tuple[str, Decimal]] = {
    word: (dimension, Decimal(size)) for dimension, size, words in _TABLE for word in words.split()
} | {
    "per cent": ("share", Decimal(1)),
    "degrees celsius": ("degree c", Decimal(1)),
    "degrees fahrenheit": ("degree f", Decimal(1)),
    "square metres": ("area", Decimal(1)),
    "square meters": ("area", Decimal(1)),
    "square kilometres": ("area", Decimal(1_000_000)),
    "square kilometers": ("area", Decimal(1_000_000)),
    "square miles": ("area", Decimal(2_589_988)),
    "miles per hour": ("speed", Decimal("1.609344")),
    "kilometres per hour": ("speed", Decimal(1)),
    "kilometers per hour": ("speed", Decimal(1)),
}
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
MONEY = ("$", "€", "£", "¥")
MILE = UNITS["mile"][1]

# Dimensions that are compared although they differ, by number alone.
_SAME = ({"pound", "£"}, {"pound", "mass"}, {"degree", "degree c"}, {"degree", "degree f"})


def is_same_dimension(first: str, second: str) -> bool:
    """Return whether numbers of two dimensions can be compared."""
    return first == second or {first, second} in _SAME
