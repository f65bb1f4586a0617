/* STM32F405 on its 16 MHz internal oscillator: USART 1 on PA9/PA10, LED on PC12 (Olimex STM32-H405). RM0090, 7, 8, 30. */
#include "serial.h"

#define RCC_AHB1ENR REG(0x40023830)
#define RCC_APB2ENR REG(0x40023844)
#define GPIOA_MODER REG(0x40020000)
#define GPIOA_AFRH REG(0x40020024)
#define GPIOC_MODER REG(0x40020800)
#define GPIOC_BSRR REG(0x40020818)
#define USART_SR REG(0x40011000) /* 5 RXNE, 7 TXE */
#define USART_DR REG(0x40011004)
#define USART_BRR REG(0x40011008)
#define USART_CR1 REG(0x4001100C) /* 2 RE, 3 TE, 5 RXNEIE, 7 TXEIE, 13 UE */
#define RXNE 0x20u
#define TXE 0x80u
#define USART1_IRQ 37

void irq_37(void);

void board_init(void) {
    RCC_AHB1ENR |= 1u << 0 | 1u << 2;
    RCC_APB2ENR |= 1u << 4;
    (void)RCC_APB2ENR; /* the clock is there two cycles later */
    GPIOA_MODER = (GPIOA_MODER & ~(0xFu << 18)) | 0xAu << 18;
    GPIOA_AFRH = (GPIOA_AFRH & ~0xFF0u) | 0x770u;
    GPIOC_MODER = (GPIOC_MODER & ~(3u << 24)) | 1u << 24;
    GPIOC_BSRR = 1u << 12; /* the LED lights when the pin is low */
    USART_BRR = CORE_HZ / 115200;
    USART_CR1 = 0x200C;
}

void uart_put(char byte) {
    while (!(USART_SR & TXE)) {}
    USART_DR = (uint8_t)byte;
}

bool uart_ready(void) { return USART_SR & RXNE; }

char uart_get(void) {
    while (!uart_ready()) {}
    return (char)USART_DR;
}

void led(bool on) { GPIOC_BSRR = on ? 1u << 28 : 1u << 12; }

void uart_interrupts(void) {
    USART_CR1 |= RXNE;
    nvic_enable(USART1_IRQ);
}

void uart_send(char byte) {
    USART_DR = (uint8_t)byte;
    USART_CR1 |= TXE;
}

void uart_send_done(void) { USART_CR1 &= ~TXE; }

__attribute__((weak)) void uart_received(char byte) { (void)byte; }
__attribute__((weak)) void uart_sent(void) {}

/* USART 1. */
void irq_37(void) {
    uint32_t causes = USART_SR;
    if (causes & RXNE) uart_received((char)USART_DR);
    if (causes & TXE && USART_CR1 & TXE) uart_sent();
}
