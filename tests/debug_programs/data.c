#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
enum flags { READ = 1, WRITE = 2, EXECUTE = 4 };
enum level { LOW = -1, MIDDLE, HIGH = 10 };
struct bits { unsigned a : 3; signed b : 5; unsigned c : 12; unsigned long long d : 33; bool e : 1; };
struct inner { short s; union { int i; float f; unsigned char raw[4]; }; };
struct outer { char tag; struct inner list[2]; const char *name; struct outer *self; double d; enum flags f; int (*call)(int); int rest[]; };
int increment(int x) { return x + 1; }
static void nothing(void) { }
struct bits packed = {5, -7, 0xABC, 0x1DEADBEEFULL, true};
struct outer thing = {'T', {{1, {.i = 0x3F800000}}, {-2, {.f = 2.5f}}}, "a \"name\"\n", &thing, -0.1, READ | EXECUTE, increment};
enum flags none = 0, both = READ | WRITE, odd = READ | 8;
enum level level = LOW, unknown_level = 5;
bool yes = true, no = false;
char text[32] = "hello", zeros[40], exact[5] = "12345", runs[64] = "aaaaaaaaaaaaaaaaaaaaaaaaabbbc";
unsigned char bytes[4] = {0, 255, 128, 'x'};
signed char small = -1;
int8_t tiny = 65;
uint64_t large = 0xFEDCBA9876543210ULL;
int64_t negative = -5000000000LL;
float single = 0.1f, big_single = 1e30f, whole = 3;
double wide = 1.0 / 3, huge = 1e300, minus = -0.0;
int matrix[2][3] = {{1, 2, 3}, {4, 5, 6}}, many[300] = {1, 2, 2, 2}, same[20] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
double reals[3] = {1.5, -2, 1e-5};
const char *const names[3] = {"one", "two", 0};
int *pointer = &matrix[1][2], **second = &pointer;
void *blank = &thing, *null_pointer;
int (*functions[2])(int) = {increment, 0};
void (*plain)(void) = nothing;
volatile const unsigned short counter = 40000;
_Complex double complex_value = 1.0 + 2.0i;
__WCHAR_TYPE__ letter = L'x';
struct { int x, y; } anonymous = {1, 2};
union { uint32_t word; uint8_t part[4]; struct { uint16_t low, high; }; } pun = {0x11223344};
typedef struct outer outer_t;
outer_t *alias = &thing;
_Thread_local int per_thread = 5;
int main(void) { return per_thread + pun.part[0]; }
