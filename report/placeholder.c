typedef int fpx_report_placeholder;
