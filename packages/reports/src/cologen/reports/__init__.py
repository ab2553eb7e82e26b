"""HTML pages, inline SVG plots, contact sheets, and text made safe to show. Imports no other member."""
