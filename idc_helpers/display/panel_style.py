"""How forms look: labels above their fields as in the console, in Lab's own colours, light or dark."""

from __future__ import annotations

STYLE = """<style>
.idc-panel{max-width:60em;color:var(--jp-ui-font-color1,inherit)}
.idc-panel .idc-field{margin:.25em 0 .5em 0}
.idc-panel .idc-field .widget-inline-hbox:not(.widget-checkbox){flex-direction:column;align-items:flex-start;
height:auto}
.idc-panel .idc-field .widget-inline-hbox:not(.widget-checkbox)>.widget-label{width:auto!important;
max-width:none;text-align:left;font-weight:600;height:auto;line-height:1.6;overflow:visible;
color:var(--jp-ui-font-color1,inherit)}
.idc-panel .idc-field .widget-inline-hbox>input,.idc-panel .idc-field .widget-inline-hbox>select,
.idc-panel .idc-field .widget-inline-hbox>textarea{width:100%;flex:0 0 auto}
.idc-panel .idc-field .widget-inline-hbox>select:not([multiple]),
.idc-panel .idc-field .widget-inline-hbox>input{
height:var(--jp-widgets-inline-height,28px)}
.idc-panel .widget-checkbox .widget-label-basic{width:auto!important;color:var(--jp-ui-font-color1,inherit)}
.idc-panel .idc-label{font-weight:600;color:var(--jp-ui-font-color1,inherit)}
.idc-panel .idc-unit{display:inline-block;color:var(--jp-ui-font-color2,inherit);font-weight:600}
.idc-panel .idc-help{display:block;color:var(--jp-ui-font-color2,inherit);line-height:1.4}
.idc-panel .idc-problem{display:block;
color:color-mix(in srgb,var(--jp-error-color1,#c62828) 70%,currentcolor);line-height:1.4;font-weight:600}
.idc-panel .idc-wrong input,.idc-panel .idc-wrong select,.idc-panel .idc-wrong textarea{
border:2px solid var(--jp-error-color1,#c62828)!important}
.idc-panel .idc-code textarea{font-family:var(--jp-code-font-family,monospace)}
.idc-panel .idc-fold{background:none!important;border:none;box-shadow:none!important;text-align:left;
padding-left:0;color:var(--jp-content-link-color,#1565c0);overflow:visible}
.idc-panel .idc-fold:focus-visible,.idc-panel button:focus-visible,.idc-panel input:focus-visible,
.idc-panel select:focus-visible,.idc-panel textarea:focus-visible{
outline:2px solid var(--jp-brand-color1,#1565c0)!important;outline-offset:1px}
.idc-panel .idc-inside{margin-left:.6em;padding-left:.8em;
border-left:2px solid var(--jp-border-color2,#bdbdbd)}
.idc-panel .jupyter-button.mod-warning{color:black}
.idc-panel .jupyter-button.mod-danger{background-color:var(--md-red-800,#c62828);color:white}
.idc-panel .widget-html-content{line-height:1.4;min-width:0}
.idc-panel,.idc-panel .jupyter-widgets{min-width:0}
</style>"""
