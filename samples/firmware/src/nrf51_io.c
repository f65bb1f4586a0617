/* nRF51822: UART, TWI, ADC, RADIO. Reference Manual 3.0, 17, 28, 29, 31. */
#include "nrf51.h"

#define UART0 0x40002000u
#define TWI0 0x40003000u
#define ADC 0x40007000u
#define RADIO 0x40001000u
#define ADC_IRQ 7

/* The console's UART: one byte more, stopped and started. Nothing is printed before TXDRDY is there again: the console waits for it. */
static void uart(void) {
    volatile uint32_t *sent = &EVENT(UART0, 0x11C);
    bool last = wait_for(sent, 1);
    *sent = 0;
    uint32_t cleared = *sent;
    TASK(UART0, 0x00C) = 1; /* STOPTX */
    TASK(UART0, 0x008) = 1; /* STARTTX */
    REG(UART0 + 0x51C) = '\r';
    bool next = wait_for(sent, 1);
    check("uart txdrdy after the last byte", last, 1);
    check("uart events are cleared by 0", cleared, 0);
    check("uart txdrdy after one byte", next, 1);
    check("uart has received nothing", EVENT(UART0, 0x108), 0);
    check("uart has no errors", REG(UART0 + 0x480), 0);
    check("uart baud rate reads", REG(UART0 + 0x524), 0x01D7E000);
}

/* The micro:bit has an accelerometer and a magnetometer on TWI0, and nothing at address 0x50. */
static void twi(void) {
    REG(TWI0 + 0x508) = 0;  /* SCL: P0.00 */
    REG(TWI0 + 0x50C) = 30; /* SDA: P0.30 */
    REG(0x50000700 + 4 * 0) = 0x60C;  /* open drain, pulled up */
    REG(0x50000700 + 4 * 30) = 0x60C;
    REG(TWI0 + 0x524) = 0x01980000; /* 100 kHz */
    REG(TWI0 + 0x500) = 5;
    REG(TWI0 + 0x588) = 0x50; /* ADDRESS */
    EVENT(TWI0, 0x124) = 0;   /* ERROR */
    EVENT(TWI0, 0x104) = 0;   /* STOPPED */
    TASK(TWI0, 0x008) = 1;    /* STARTTX */
    REG(TWI0 + 0x51C) = 0;    /* TXD */
    check("twi error for an absent address", wait_for(&EVENT(TWI0, 0x124), 1), 1);
    check("twi error is an address nack", REG(TWI0 + 0x4C4) & 6, 2);
    REG(TWI0 + 0x4C4) = 2;
    check("twi error source is cleared by ones", REG(TWI0 + 0x4C4), 0);
    TASK(TWI0, 0x014) = 1; /* STOP */
    check("twi stops", wait_for(&EVENT(TWI0, 0x104), 1), 1);
    REG(TWI0 + 0x500) = 0;
}

static void adc(void) {
    REG(ADC + 0x504) = 2u | 6u << 2; /* 10 bits, a third of the supply, band gap as reference */
    REG(ADC + 0x500) = 1;
    EVENT(ADC, 0x100) = 0;
    REG(ADC + 0x304) = 1;
    TASK(ADC, 0x000) = 1;
    check("adc end", wait_for(&EVENT(ADC, 0x100), 1), 1);
    check("adc interrupt", nvic_pending(ADC_IRQ), 1);
    uint32_t value = REG(ADC + 0x508);
    check("adc reads the supply", value > 500 && value < 1024, 1);
    check("adc is idle", REG(ADC + 0x400), 0);
    REG(ADC + 0x308) = 1;
    EVENT(ADC, 0x100) = 0;
    TASK(ADC, 0x004) = 1;
    REG(ADC + 0x500) = 0;
    NVIC_ICPR(0) = 1u << ADC_IRQ;
}

/* Ramp up and down only: nothing is sent. */
static void radio(void) {
    REG(RADIO + 0xFFC) = 1;
    check("radio is disabled", REG(RADIO + 0x550), 0);
    EVENT(RADIO, 0x100) = 0;
    TASK(RADIO, 0x004) = 1; /* RXEN */
    check("radio ready", wait_for(&EVENT(RADIO, 0x100), 1), 1);
    check("radio state rx idle", REG(RADIO + 0x550), 2);
    EVENT(RADIO, 0x110) = 0;
    TASK(RADIO, 0x010) = 1; /* DISABLE */
    check("radio disabled event", wait_for(&EVENT(RADIO, 0x110), 1), 1);
    check("radio state disabled", REG(RADIO + 0x550), 0);
    EVENT(RADIO, 0x100) = 0;
    TASK(RADIO, 0x000) = 1; /* TXEN */
    check("radio ready to send", wait_for(&EVENT(RADIO, 0x100), 1), 1);
    check("radio state tx idle", REG(RADIO + 0x550), 10);
    TASK(RADIO, 0x010) = 1;
    REG(RADIO + 0xFFC) = 0;
    check("radio power off", REG(RADIO + 0xFFC), 0);
    REG(RADIO + 0xFFC) = 1;
}

void nrf51_io(void) {
    uart();
    twi();
    adc();
    radio();
}
