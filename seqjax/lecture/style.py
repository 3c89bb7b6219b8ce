"""How the book looks: light and dark as the reader's machine has it, from the width of a phone on."""

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1d21; --faint: #5d6470; --grid: #b9bec7; --line: #dde1e7;
  --soft: #f4f6f9; --link: #0b5cad; --c0: #0072b2; --c1: #d55e00; --c2: #00825c; --c3: #a8376e; --c4: #8d6cc4;
  --c5: #8a6100; --c6: #4aa3dc; --c7: #777d87; --box0: #ececec; --box1: #dbe9f6; --box2: #c9e7cf; --box3: #f5e4bd; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --ink: #e4e7ec; --faint: #a2a9b5; --grid: #555d69;
  --line: #323944; --soft: #1d222a; --link: #7db8f5; --c0: #56b4e9; --c1: #ff9e4a; --c2: #3fc79a; --c3: #e58bb4;
  --c4: #b9a1ec; --c5: #e0c04c; --c6: #8fd0ff; --c7: #a8afba; --box0: #30353d; --box1: #23405c; --box2: #24503a;
  --box3: #57471f; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { font: 17px/1.6 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; color: var(--ink);
  background: var(--ground); margin: 0; overflow-wrap: break-word; }
main { max-width: 48rem; margin: 0 auto; padding: 1.5rem 1rem 6rem; }
nav { padding: 1rem; max-width: 48rem; margin: 0 auto; font-size: .92rem; }
nav ol { margin: .3rem 0; padding-left: 1.7rem; } nav li { margin: .15rem 0; } nav summary { font-weight: 600; }
nav a { text-decoration: none; }
@media (min-width: 1200px) {
  body { display: grid; grid-template-columns: 18rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-right: 1px solid var(--line); width: 18rem;
    margin: 0; padding: 1.5rem 1rem; }
  main { width: 48rem; } }
a { color: var(--link); }
h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.15; margin: .5rem 0 1rem; }
h2 { font-size: 1.65rem; line-height: 1.2; margin: 4.5rem 0 .5rem; padding-top: 1rem; border-top: 3px solid
  var(--ink); }
h3 { font-size: 1.2rem; line-height: 1.3; margin: 2.8rem 0 .6rem; }
p, ul { margin: .8rem 0; }
blockquote { margin: .3rem 0; padding: .1rem 0 .1rem .9rem; border-left: 4px solid var(--c0); color: var(--faint);
  font-size: .95rem; }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
p code, li code, td code, figcaption code { background: var(--soft); padding: .08em .3em; border-radius: .25em; }
pre { background: var(--soft); border-radius: .4rem; padding: .8rem; overflow-x: auto; font-size: .87rem;
  line-height: 1.45; margin: .4rem 0; }
pre i { font-style: normal; } pre .word { color: var(--c3); } pre .text { color: var(--c2); } pre .note { color:
  var(--faint); }
details { margin: 1rem 0; } summary { cursor: pointer; }
.faint, figcaption { color: var(--faint); font-size: .88rem; }
.formula, .wide { overflow-x: auto; overflow-y: hidden; } .formula { margin: 1.2rem 0; padding: .3rem 0; }
math { font-size: 1.12em; } math[display=block] { margin: .5rem 0; } math .bold { font-weight: 700; }
figure { margin: 1.6rem 0; } figure svg { display: block; width: 100%; height: auto; fill: currentColor; }
figure svg text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif !important; }
figure.scrolled svg { min-width: 46rem; }
figure b { display: block; margin-bottom: .3rem; } figcaption { margin-top: .4rem; }
table { border-collapse: collapse; font-size: .88rem; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
th { border-bottom: 2px solid var(--grid); vertical-align: bottom; }
td:first-child { font-weight: 500; min-width: 7rem; } td:not(:first-child) { min-width: 5.5rem; }
.verdict { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; margin: 1.2rem 0;
  background: var(--soft); font-size: .95rem; }
.badge { display: inline-block; font-weight: 700; font-size: .85rem; padding: .05rem .55rem; border-radius: .3rem;
  white-space: nowrap; border: 1.5px solid; }
.held { color: var(--c2); } .not-held { color: var(--c1); } .undecided { color: var(--c5); } .not-run { color:
  var(--faint); }
.exercise { border: 2px solid var(--c4); border-radius: .5rem; padding: .3rem 1rem; margin: 2.2rem 0; }
.exercise h3 { margin-top: .8rem; }
.index td { font-size: .82rem; } .index .badge { white-space: normal; font-size: .75rem; } .index code {
  font-size: .8em; overflow-wrap: anywhere; background: none
  !important; padding: 0 !important; }
.index td { min-width: 6rem !important; }
"""
