"""One module a family of formats: its bytes -> text, headings and pages. Opens no file."""
