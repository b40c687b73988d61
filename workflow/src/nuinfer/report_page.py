"""The report's page: its frame, a slot after every dollar sign, and its style: no script, nothing from outside."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<header>
<h1>$title</h1>
$summary
$warnings
</header>
<nav aria-label="Contents"><h2>Contents</h2>
<ol>
$contents
</ol>
</nav>
<main>
$body
</main>
<footer>
<h2>Provenance</h2>
<dl>
$provenance
</dl>
</footer>
</body>
</html>
"""

STYLE = """\
:root {
  --ink: #1b1f24; --paper: #ffffff; --soft: #5b6470; --line: #d5dae0; --tint: #f4f6f8; --link: #0a5c91;
  --warn-ink: #6d2600; --warn: #fff1e6; --warn-line: #d55e00; --good: #00704f; --bad: #b34100;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e7eb; --paper: #15181c; --soft: #a0a8b2; --line: #3a4149; --tint: #1f242a; --link: #7cc4f4;
    --warn-ink: #ffd9bf; --warn: #3a2010; --warn-line: #ff8a3d; --good: #4fd0a5; --bad: #ff9a5c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 3rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.35rem; margin: 2.2rem 0 0.6rem; border-bottom: 1px solid var(--line); padding-bottom: 0.2rem; }
h3 { font-size: 1.1rem; margin: 1.6rem 0 0.4rem; }
h4, h5, h6 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
a { color: var(--link); }
nav {
  background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: 0.6rem 1rem; margin: 1.2rem 0;
}
nav h2 { border: 0; margin: 0; font-size: 1rem; padding: 0; }
nav ol { margin: 0.3rem 0; padding-left: 1.4rem; }
.warning {
  background: var(--warn); color: var(--warn-ink); border: 1px solid var(--warn-line); border-left-width: 6px;
  border-radius: 4px; padding: 0.6rem 1rem; margin: 1rem 0;
}
.warning ul { margin: 0.25rem 0 0; padding-left: 1.2rem; }
.warning a { color: inherit; }
.table { overflow-x: auto; margin: 1rem 0 0.3rem; }
.tall { max-height: 24rem; overflow-y: auto; border: 1px solid var(--line); border-radius: 4px; padding: 0.4rem 0.6rem; }
.tall td { overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 0.9rem; }
caption { text-align: left; padding: 0 0 0.3rem; color: var(--soft); }
th, td {
  padding: 0.28rem 0.8rem 0.28rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top;
}
thead th { border-bottom: 2px solid var(--soft); white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.good { color: var(--good); }
td.bad { color: var(--bad); font-weight: 700; }
.note { font-size: 0.85rem; color: var(--soft); margin-top: 0; }
figure { margin: 1.4rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; padding: 4px; }
figcaption { font-size: 0.88rem; color: var(--soft); max-width: 46rem; margin-top: 0.4rem; }
footer { margin-top: 3rem; font-size: 0.82rem; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, Menlo, Consolas, monospace; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #444; --line: #bbb; --tint: #fff; --warn: #fff; --warn-ink: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  figure, table, .warning { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  nav { border: 0; }
  .tall { max-height: none; border: 0; }
}
"""
