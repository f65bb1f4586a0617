/* Interrupt-driven serial port: one ring buffer in each direction, filled and drained by the board's interrupt. */
#include "serial.h"

struct ring {
    volatile unsigned head, tail; /* head: next to write; tail: next to read; they run freely */
    char bytes[RING_SIZE];
};

static struct ring received, waiting;
static volatile bool sending;
static volatile unsigned lost;

static bool ring_put(struct ring *ring, char byte) {
    if (ring->head - ring->tail == RING_SIZE) return false;
    ring->bytes[ring->head % RING_SIZE] = byte;
    ring->head++;
    return true;
}

static bool ring_get(struct ring *ring, char *byte) {
    if (ring->head == ring->tail) return false;
    *byte = ring->bytes[ring->tail % RING_SIZE];
    ring->tail++;
    return true;
}

void uart_received(char byte) {
    if (!ring_put(&received, byte)) lost++;
}

void uart_sent(void) {
    char byte = 0;
    sending = ring_get(&waiting, &byte);
    if (sending) uart_send(byte);
    else uart_send_done();
}

bool serial_read(char *byte) { return ring_get(&received, byte); }

void serial_write(char byte) {
    for (;;) {
        irq_disable();
        if (!sending) {
            sending = true;
            uart_send(byte);
            irq_enable();
            return;
        }
        bool done = ring_put(&waiting, byte);
        if (done) {
            irq_enable();
            return;
        }
        wfi(); /* full: the next "sent" interrupt makes room; WFI wakes with interrupts masked too */
        irq_enable();
    }
}

void serial_flush(void) {
    for (;;) {
        irq_disable();
        bool idle = !sending;
        if (!idle) wfi();
        irq_enable();
        if (idle) return;
    }
}

unsigned serial_lost(void) { return lost; }
