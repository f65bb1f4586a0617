/* Arm MPS2 with the AN385, AN386 or AN500 image: CMSDK UART 0 (DDI 0479, 4.3), LED 0 of FPGAIO (DAI 0385). */
#include "serial.h"

#define UART_DATA REG(0x40004000)
#define UART_STATE REG(0x40004004) /* 0: transmit buffer full, 1: receive buffer full */
#define UART_CTRL REG(0x40004008)  /* 0 TX, 1 RX, 2 TX interrupt, 3 RX interrupt */
#define UART_INT REG(0x4000400C)   /* 0 TX, 1 RX; a 1 clears */
#define UART_BAUDDIV REG(0x40004010)
#define FPGAIO_LED REG(0x40028000)

void irq_0(void);
void irq_1(void);

void board_init(void) {
    UART_BAUDDIV = CORE_HZ / 115200;
    UART_CTRL = 3;
}

void uart_put(char byte) {
    while (UART_STATE & 1) {}
    UART_DATA = (uint8_t)byte;
}

bool uart_ready(void) { return UART_STATE & 2; }

char uart_get(void) {
    while (!uart_ready()) {}
    return (char)UART_DATA;
}

void led(bool on) { FPGAIO_LED = on; }

void uart_interrupts(void) {
    UART_INT = 3;
    UART_CTRL = 15;
    nvic_enable(0);
    nvic_enable(1);
}

void uart_send(char byte) { UART_DATA = (uint8_t)byte; }
void uart_send_done(void) {}

/* UART 0 has received. */
__attribute__((weak)) void uart_received(char byte) { (void)byte; }
void irq_0(void) {
    UART_INT = 2;
    uart_received((char)UART_DATA);
}

/* UART 0 has sent. */
__attribute__((weak)) void uart_sent(void) {}
void irq_1(void) {
    UART_INT = 1;
    uart_sent();
}
