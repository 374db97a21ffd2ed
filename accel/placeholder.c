typedef int fpx_accel_placeholder;
