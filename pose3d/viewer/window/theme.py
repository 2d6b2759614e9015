"""How the window looks: the palette's colours as Qt takes them, fonts and the style sheet."""

from PySide6.QtGui import QColor, QFont

from pose3d.viewer import palette
from pose3d.viewer.palette import Colour, hex_colour

__all__ = ["ACCENT", "EDGE", "RAISED", "SIDE_COLOURS", "STYLE", "font", "qcolor"]

RAISED = "#1e252f"
EDGE = "#2a323e"
ACCENT = hex_colour(palette.LEFT)
_FAMILIES = ["Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "DejaVu Sans", "Arial"]


def qcolor(colour: Colour, alpha: float = 1.0) -> QColor:
    """Return a colour of the palette."""
    return QColor.fromRgbF(*colour, alpha)


SIDE_COLOURS = tuple(qcolor(colour) for colour in palette.SIDES)


def font(size_px: int = 12, *, bold: bool = False) -> QFont:
    """Return the window's font."""
    made = QFont()
    made.setFamilies(_FAMILIES)
    made.setPixelSize(size_px)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made


_TEXT, _DIM = hex_colour(palette.TEXT), hex_colour(palette.DIM)
_BACK, _PANEL = hex_colour(palette.BACKGROUND), hex_colour(palette.PANEL)
STYLE = f"""
QMainWindow, QWidget#central {{ background: {_BACK}; }}
QWidget {{ color: {_TEXT}; font-size: 12px; }}
QWidget#panel {{ background: {_PANEL}; border: 1px solid {EDGE}; border-radius: 8px; }}
QLabel#title {{ font-size: 16px; font-weight: 600; }}
QLabel#dim {{ color: {_DIM}; }}
QLabel#clock {{ font-size: 13px; }}
QToolTip {{ background: {RAISED}; color: {_TEXT}; border: 1px solid {EDGE}; padding: 4px; }}
QSplitter::handle {{ background: transparent; }}
QToolButton, QPushButton {{ background: {RAISED}; border: 1px solid {EDGE}; border-radius: 6px; padding: 4px 7px; }}
QToolButton#glyph {{ background: transparent; border-color: transparent; padding: 3px; }}
QToolButton:hover, QPushButton:hover, QToolButton#glyph:hover {{ background: #28313d; border-color: #3a4553; }}
QToolButton:checked {{ background: #173a4b; border-color: #25607b; color: {ACCENT}; }}
QToolButton:disabled {{ color: #55606d; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QMenu {{ background: {RAISED}; border: 1px solid {EDGE}; padding: 4px; }}
QMenu::item {{ padding: 5px 22px 5px 22px; border-radius: 4px; }}
QMenu::item:selected {{ background: #28313d; }}
QMenu::separator {{ height: 1px; background: {EDGE}; margin: 4px 6px; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 9px; }}
QScrollBar::handle:vertical {{ background: #36404d; border-radius: 4px; min-height: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""
