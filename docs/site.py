"""For the site: ``deploy/README.md``, which is outside of ``docs/``, becomes a page of it, and links to it work."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGE = "deploy/README.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=(Path(config.config_file_path).parent / PAGE).read_text()))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links are written as the repository has the files."""
    return markdown.replace(f"](../{PAGE}", f"]({PAGE}")
