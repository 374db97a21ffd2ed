typedef int fpx_emul_placeholder;
