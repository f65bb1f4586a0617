/* Stellaris LM3S6965 evaluation board: UART 0 (a PL011 variant), LED on PF0. LM3S6965 data sheet, 12 and 8. */
#include "serial.h"

#define RCGC1 REG(0x400FE104)
#define RCGC2 REG(0x400FE108)
#define UART_DR REG(0x4000C000)
#define UART_FR REG(0x4000C018) /* 4: receive FIFO empty, 5: transmit FIFO full */
#define UART_IBRD REG(0x4000C024)
#define UART_FBRD REG(0x4000C028)
#define UART_LCRH REG(0x4000C02C)
#define UART_CTL REG(0x4000C030)
#define UART_IM REG(0x4000C038)
#define UART_MIS REG(0x4000C040)
#define UART_ICR REG(0x4000C044)
#define GPIOA_AFSEL REG(0x40004420)
#define GPIOA_DEN REG(0x4000451C)
#define GPIOF_DATA0 REG(0x40025004) /* address bits 9:2 are the mask: PF0 only */
#define GPIOF_DIR REG(0x40025400)
#define GPIOF_DEN REG(0x4002551C)
#define RX 0x10u
#define TX 0x20u

void irq_5(void);

void board_init(void) {
    RCGC1 |= 1;
    RCGC2 |= 0x21;
    (void)RCGC2; /* the clock is there three cycles later */
    (void)RCGC2;
    GPIOA_AFSEL |= 3;
    GPIOA_DEN |= 3;
    GPIOF_DIR |= 1;
    GPIOF_DEN |= 1;
    UART_IBRD = 6; /* 12 MHz / (16 × 115200) = 6 + 33/64 */
    UART_FBRD = 33;
    UART_LCRH = 0x60; /* 8 bits, no FIFO */
    UART_CTL = 0x301;
}

void uart_put(char byte) {
    while (UART_FR & 0x20) {}
    UART_DR = (uint8_t)byte;
}

bool uart_ready(void) { return !(UART_FR & 0x10); }

char uart_get(void) {
    while (!uart_ready()) {}
    return (char)UART_DR;
}

void led(bool on) { GPIOF_DATA0 = on; }

void uart_interrupts(void) {
    UART_ICR = RX | TX;
    UART_IM = RX | TX;
    nvic_enable(5);
}

void uart_send(char byte) { UART_DR = (uint8_t)byte; }
void uart_send_done(void) {}

__attribute__((weak)) void uart_received(char byte) { (void)byte; }
__attribute__((weak)) void uart_sent(void) {}

/* UART 0. */
void irq_5(void) {
    uint32_t causes = UART_MIS;
    UART_ICR = causes & (RX | TX);
    if (causes & RX) uart_received((char)UART_DR);
    if (causes & TX) uart_sent();
}
