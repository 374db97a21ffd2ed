typedef int fpx_qualify_placeholder;
