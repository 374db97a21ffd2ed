typedef int fpx_trainer_placeholder;
