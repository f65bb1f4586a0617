/* Tasks as FreeRTOS keeps them: control blocks and lists with the published names and layout, and switches as its ports for
   Cortex-M3 and Cortex-M4F make them. The scheduler is only as much as it takes to bring tasks into each state. Not FreeRTOS. */
#include "firmware.h"

#define PRIORITIES 5
#define STACK_WORDS 128

typedef uint32_t TickType_t;
typedef unsigned long UBaseType_t;
struct xLIST;

typedef struct xLIST_ITEM {
    TickType_t xItemValue;
    struct xLIST_ITEM *pxNext, *pxPrevious;
    void *pvOwner;
    struct xLIST *pxContainer;
} ListItem_t;

typedef struct {
    TickType_t xItemValue;
    struct xLIST_ITEM *pxNext, *pxPrevious;
} MiniListItem_t;

typedef struct xLIST {
    volatile UBaseType_t uxNumberOfItems;
    ListItem_t *pxIndex;
    MiniListItem_t xListEnd;
} List_t;

typedef struct tskTaskControlBlock {
    volatile uint32_t *pxTopOfStack;
    ListItem_t xStateListItem, xEventListItem;
    UBaseType_t uxPriority;
    uint32_t *pxStack;
    char pcTaskName[16];
    uint32_t *pxEndOfStack;
} TCB_t;

TCB_t *volatile pxCurrentTCB;
static List_t pxReadyTasksLists[PRIORITIES], xDelayedTaskList1, xDelayedTaskList2, xPendingReadyList, xSuspendedTaskList;
static List_t *volatile pxDelayedTaskList, *volatile pxOverflowDelayedTaskList;
static List_t queue_waits; /* of a queue that is empty */
static TCB_t blocks[6];
static uint32_t stacks[6][STACK_WORDS] __attribute__((aligned(8)));
static volatile float voltage = 1.5f;

void vTaskSwitchContext(void);
uint32_t *switch_tasks(uint32_t *sp);
void pendsv_handler(void);
void observe(void);

static void clear(List_t *list) {
    ListItem_t *end = (ListItem_t *)&list->xListEnd;
    list->uxNumberOfItems = 0;
    list->pxIndex = end;
    list->xListEnd = (MiniListItem_t){.xItemValue = ~0u, .pxNext = end, .pxPrevious = end};
}

static void append(List_t *list, ListItem_t *item) {
    ListItem_t *end = (ListItem_t *)&list->xListEnd;
    item->pxNext = end;
    item->pxPrevious = end->pxPrevious;
    end->pxPrevious->pxNext = item;
    end->pxPrevious = item;
    item->pxContainer = list;
    list->uxNumberOfItems++;
}

static void take_out(ListItem_t *item) {
    item->pxPrevious->pxNext = item->pxNext;
    item->pxNext->pxPrevious = item->pxPrevious;
    item->pxContainer->uxNumberOfItems--;
    item->pxContainer = NULL;
}

void vTaskSwitchContext(void) {
    for (int priority = PRIORITIES - 1; priority >= 0; priority--) {
        List_t *ready = &pxReadyTasksLists[priority];
        if (!ready->uxNumberOfItems) continue;
        ListItem_t *item = ready->xListEnd.pxNext; /* the one that has waited longest */
        take_out(item);
        append(ready, item);
        pxCurrentTCB = item->pvOwner;
        return;
    }
}

uint32_t *switch_tasks(uint32_t *sp) {
    pxCurrentTCB->pxTopOfStack = sp;
    vTaskSwitchContext();
    return (uint32_t *)pxCurrentTCB->pxTopOfStack;
}

#if __ARM_FP
__attribute__((naked)) void pendsv_handler(void) { /* as the port for Cortex-M4F: EXC_RETURN is on the task's stack */
    __asm__("mrs r0, psp\n tst lr, #16\n it eq\n vstmdbeq r0!, {s16-s31}\n stmdb r0!, {r4-r11, lr}\n"
            "bl switch_tasks\n"
            "ldmia r0!, {r4-r11, lr}\n tst lr, #16\n it eq\n vldmiaeq r0!, {s16-s31}\n msr psp, r0\n bx lr\n");
}
#else
__attribute__((naked)) void pendsv_handler(void) { /* as the port for Cortex-M3: it is not */
    __asm__("mrs r0, psp\n stmdb r0!, {r4-r11}\n push {r3, lr}\n"
            "bl switch_tasks\n"
            "pop {r3, lr}\n ldmia r0!, {r4-r11}\n msr psp, r0\n bx lr\n");
}
#endif

/* ---- what tasks do ---- */

__attribute__((noinline)) static void yield(void) {
    ICSR = ICSR_PENDSVSET;
    sync();
}

__attribute__((noinline)) static void wait_in(List_t *list, List_t *event) {
    TCB_t *me = pxCurrentTCB;
    take_out(&me->xStateListItem);
    append(list, &me->xStateListItem);
    if (event) append(event, &me->xEventListItem);
    yield();
}

static void blink(void) {
    for (;;) wait_in(pxDelayedTaskList, NULL);
}

static void receive(void) {
    float scaled = voltage * 2.0f; /* from here on the processor saves floating-point registers, too */
    for (;;) {
        wait_in(&xSuspendedTaskList, &queue_waits);
        voltage = scaled;
    }
}

static void poll(void) {
    for (;;) wait_in(pxDelayedTaskList, &queue_waits);
}

static void parked(void) {
    for (;;) wait_in(&xSuspendedTaskList, NULL);
}

static void logger(void) {
    for (;;) yield();
}

static void create(unsigned n, const char *name, UBaseType_t priority, void (*entry)(void)) {
    TCB_t *task = &blocks[n];
    struct frame *frame = (struct frame *)(stacks[n] + STACK_WORDS) - 1;
    *frame = (struct frame){.pc = (uint32_t)entry & ~1u, .xpsr = 1u << 24};
    uint32_t *sp = (uint32_t *)frame;
#if __ARM_FP
    *--sp = 0xFFFFFFFD;
#endif
    task->pxTopOfStack = sp - 8;
    task->uxPriority = priority;
    task->pxStack = stacks[n];
    task->pxEndOfStack = stacks[n] + STACK_WORDS;
    for (unsigned i = 0; name[i]; i++) task->pcTaskName[i] = name[i];
    task->xStateListItem.pvOwner = task->xEventListItem.pvOwner = task;
    append(&pxReadyTasksLists[priority], &task->xStateListItem);
}

__attribute__((noinline)) void observe(void) { __asm__ volatile("" ::: "memory"); }

int main(void) {
    for (unsigned i = 0; i < PRIORITIES; i++) clear(&pxReadyTasksLists[i]);
    clear(&xDelayedTaskList1);
    clear(&xDelayedTaskList2);
    clear(&xPendingReadyList);
    clear(&xSuspendedTaskList);
    clear(&queue_waits);
    pxDelayedTaskList = &xDelayedTaskList1;
    pxOverflowDelayedTaskList = &xDelayedTaskList2;
    create(0, "IDLE", 0, logger);
    create(1, "logger", 0, logger);
    create(2, "blink", 2, blink);
    create(3, "receive", 3, receive);
    create(4, "poll", 2, poll);
    create(5, "parked", 1, parked);
    pxCurrentTCB = &blocks[0]; /* this, from here on */
    system_priority(PENDSV, 0xC0);
    WRITE_SPECIAL(psp, stacks[0] + STACK_WORDS);
    WRITE_SPECIAL(control, 2);
    for (unsigned i = 0; i < 4; i++) yield();
    observe();
    leave(0);
}
