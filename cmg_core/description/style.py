"""How the pages look: light or dark as the reader's system is, readable at any width, with visible focus."""

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --back: #ffffff; --soft: #f3f5f8; --line: #d3d9e0; --link: #0b5cad;
  --get: #0b6e4f; --post: #8a4b00; --delete: #a3222a; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --back: #14181d; --soft: #1e242c; --line: #38424e;
  --link: #7cb8ff; --get: #6fd3a8; --post: #f0b35c; --delete: #ff9d9d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 4rem; max-width: 68rem; color: var(--text); background: var(--back);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 small, h3 small { font-weight: 400; opacity: .8; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { margin: 0 0 .25rem; font-size: 1.05rem; overflow-wrap: anywhere; }
h4 { margin: .75rem 0 .25rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, pre { font: .9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow: auto; max-height: 30rem; border-radius: .4rem; }
nav { position: sticky; top: 0; background: var(--back); border-bottom: 1px solid var(--line); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: 0; padding: .5rem 0; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem; margin: 1rem 0; }
article, section, h2, h3 { scroll-margin-top: 5.5rem; }
.method { font-weight: 700; } .get { color: var(--get); } .post { color: var(--post); }
.delete { color: var(--delete); }
.meta { opacity: .85; font-size: .9rem; }
.explained { max-width: 44rem; } .explained h1 { margin-top: .25rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line); }
summary { cursor: pointer; padding: .2rem 0; }
dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; }
.skip { position: absolute; left: -999rem; } .skip:focus { position: static; }
@media (min-width: 48rem) { th code { white-space: nowrap; } }
@media screen and (max-width: 40rem) { table, caption, tbody, tr, th, td { display: block; }
  thead { display: none; }
  tr { border-top: 1px solid var(--line); padding: .35rem 0; }
  th, td { border: 0; padding: 0; overflow-wrap: anywhere; }
  td:empty { display: none; } }
@media print { nav, .skip { display: none; } body { max-width: none; padding: 0; font-size: 10pt; }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; } .wide { overflow: visible; }
  table { font-size: 9pt; } td code { overflow-wrap: anywhere; }
  thead { display: table-header-group; } tr, summary { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } }
"""
