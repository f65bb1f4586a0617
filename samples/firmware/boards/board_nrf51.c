/* BBC micro:bit (nRF51822): UART 0, TIMER 0 as the periodic interrupt, the LED at the top left. nRF51 Reference Manual 3.0. */
#include "serial.h"

#define UART_STARTRX REG(0x40002000)
#define UART_STARTTX REG(0x40002008)
#define UART_RXDRDY REG(0x40002108)
#define UART_TXDRDY REG(0x4000211C)
#define UART_INTENSET REG(0x40002304)
#define UART_ENABLE REG(0x40002500)
#define UART_PSELTXD REG(0x4000250C)
#define UART_PSELRXD REG(0x40002514)
#define UART_RXD REG(0x40002518)
#define UART_TXD REG(0x4000251C)
#define UART_BAUDRATE REG(0x40002524)
#define TIMER_START REG(0x40008000)
#define TIMER_CLEAR REG(0x4000800C)
#define TIMER_COMPARE0 REG(0x40008140)
#define TIMER_SHORTS REG(0x40008200)
#define TIMER_INTENSET REG(0x40008304)
#define TIMER_MODE REG(0x40008504)
#define TIMER_BITMODE REG(0x40008508)
#define TIMER_PRESCALER REG(0x40008510)
#define TIMER_CC0 REG(0x40008540)
#define GPIO_OUTSET REG(0x50000508)
#define GPIO_OUTCLR REG(0x5000050C)
#define GPIO_DIRSET REG(0x50000518)
#define ROW1 (1u << 13)
#define COLUMNS (0x1FFu << 4)
#define COLUMN1 (1u << 4)
#define UART_IRQ 2
#define TIMER0_IRQ 8

void irq_2(void);
void irq_8(void);

static bool busy; /* a byte is on its way: TXDRDY will come */

void board_init(void) {
    GPIO_OUTSET = COLUMNS | 1u << 24; /* LEDs dark, TXD idle high */
    GPIO_DIRSET = ROW1 | COLUMNS | 1u << 24;
    UART_PSELTXD = 24;
    UART_PSELRXD = 25;
    UART_BAUDRATE = 0x01D7E000; /* 115200 */
    UART_ENABLE = 4;
    UART_STARTTX = 1;
    UART_STARTRX = 1;
}

void uart_put(char byte) {
    while (busy && !UART_TXDRDY) {}
    UART_TXDRDY = 0;
    busy = true;
    UART_TXD = (uint8_t)byte;
}

bool uart_ready(void) { return UART_RXDRDY; }

char uart_get(void) {
    while (!uart_ready()) {}
    UART_RXDRDY = 0;
    return (char)UART_RXD;
}

void led(bool on) {
    if (on) {
        GPIO_OUTSET = ROW1;
        GPIO_OUTCLR = COLUMN1;
    } else {
        GPIO_OUTCLR = ROW1;
        GPIO_OUTSET = COLUMN1;
    }
}

void board_ticks(uint32_t hz) {
    TIMER_MODE = 0;
    TIMER_BITMODE = 3;   /* 32 bits */
    TIMER_PRESCALER = 4; /* 16 MHz / 2^4 */
    TIMER_CC0 = 1000000 / hz;
    TIMER_SHORTS = 1; /* compare 0 clears */
    TIMER_INTENSET = 1u << 16;
    nvic_enable(TIMER0_IRQ);
    TIMER_CLEAR = 1;
    TIMER_START = 1;
}

void board_ticks_priority(unsigned priority) { nvic_priority(TIMER0_IRQ, priority); }

void uart_interrupts(void) {
    while (busy && !UART_TXDRDY) {}
    UART_TXDRDY = 0;
    busy = false;
    UART_INTENSET = 1u << 2 | 1u << 7; /* RXDRDY, TXDRDY */
    nvic_enable(UART_IRQ);
}

void uart_send(char byte) { UART_TXD = (uint8_t)byte; }
void uart_send_done(void) {}

__attribute__((weak)) void uart_received(char byte) { (void)byte; }
__attribute__((weak)) void uart_sent(void) {}

/* UART 0. The event is cleared before the byte is read: reading makes room, and the next event may follow at once. */
void irq_2(void) {
    if (UART_RXDRDY) {
        UART_RXDRDY = 0;
        uart_received((char)UART_RXD);
    }
    if (UART_TXDRDY) {
        UART_TXDRDY = 0;
        uart_sent();
    }
}

/* TIMER 0. */
void irq_8(void) {
    TIMER_COMPARE0 = 0;
    (void)TIMER_COMPARE0; /* the write has arrived before the handler returns */
    on_tick();
}
