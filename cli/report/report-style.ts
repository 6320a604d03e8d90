/** Of the report's page: readable on a screen, light and dark, and on paper. */
export const REPORT_STYLE = `:root{color-scheme:light dark;--text:#1a2330;--quiet:#526071;--line:#d8dee6;--back:#fff;--code:#f4f6f9;--link:#1f57b8}
@media (prefers-color-scheme:dark){:root{--text:#e4e9ef;--quiet:#9aa8b8;--line:#2b3541;--back:#11161d;--code:#1b222b;--link:#8db4f7}}
body{font:15px/1.55 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:var(--text);background:var(--back)}
a{color:var(--link)}h1{font-size:1.6rem;margin-top:3rem}h2{font-size:1.25rem;margin-top:2rem}h3{font-size:1.05rem}.title{margin-top:0;font-size:2rem}
section{border-top:1px solid var(--line)}nav ul{list-style:none;padding:0;columns:2}.level1{font-weight:600;margin-top:.4rem}.level2{padding-left:1rem}
table{border-collapse:collapse;display:block;overflow-x:auto;font-variant-numeric:tabular-nums;font-size:.87rem;margin:1rem 0}
caption{text-align:left;color:var(--quiet)}th,td{padding:.25rem .55rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
code{font:.9em ui-monospace,monospace;background:var(--code);padding:.05rem .25rem;border-radius:3px}pre{background:var(--code);padding:.7rem;overflow-x:auto}pre code{padding:0}
.file{color:var(--quiet);font-size:.85em}figure{margin:1rem 0}figure svg{max-width:46rem;height:auto}
@media print{:root{color-scheme:light;--text:#000;--back:#fff;--code:#f4f6f9;--line:#bbb;--link:#000;--quiet:#444}body{font-size:10px;margin:0;max-width:none}
section{break-before:page;border:0}table{font-size:7.5px;display:table;overflow:visible;width:100%}td,th{padding:.12rem .25rem;overflow-wrap:break-word}nav ul{columns:3}nav{font-size:9px}pre{white-space:pre-wrap}h2,h3{break-after:avoid}tr{break-inside:avoid}}`;
