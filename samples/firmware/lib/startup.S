/* Vector table, reset, and the common handler of exceptions nobody handles. */
    .file "startup.S"
    .syntax unified
    .thumb

    .section .vectors, "a"
    .altmacro
    .global vectors
vectors:
    .word stack_top
    .word reset_handler

    .macro handler name
    .weak \name
    .thumb_set \name, default_handler
    .word \name
    .endm
    .macro irq number
    handler irq_\number
    .endm

    handler nmi_handler
    handler hard_fault_handler
    handler mem_manage_handler
    handler bus_fault_handler
    handler usage_fault_handler
    .word 0, 0, 0, 0
    handler svc_handler
    handler debug_monitor_handler
    .word 0
    handler pendsv_handler
    handler systick_handler
    .set number, 0
    .rept IRQS
    irq %number
    .set number, number + 1
    .endr

    .text
    .global default_handler
    .type default_handler, %function
    .thumb_func
default_handler:
    mov r0, lr
    mrs r1, msp
    ldr r2, =on_exception
    bx r2
    .size default_handler, . - default_handler

    .global reset_handler
    .type reset_handler, %function
    .thumb_func
reset_handler:
    ldr r0, =start
    bx r0
    .size reset_handler, . - reset_handler
