/* Ten ticks of the board's periodic interrupt, each waited for with WFI. */
#include "firmware.h"

#define TICKS 10u

static volatile uint32_t ticks;

void on_tick(void) { ticks++; }

int main(void) {
    print("timer on %s\n", BOARD);
    board_ticks(100);
    for (uint32_t seen = 0; seen < TICKS;) {
        irq_disable(); /* no tick may come between the test and WFI; a pending one wakes it all the same */
        if (ticks == seen) wfi();
        irq_enable();
        while (seen < ticks && seen < TICKS) print("tick %u\n", ++seen);
    }
    print("done\n");
    return 0;
}
