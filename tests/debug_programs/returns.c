/* Functions that return values of all kinds: where they are, and what a debugger says about them. */
enum colour { RED, GREEN = 7 };
struct small { int a; short b; };
struct mixed { double d; long n; };
struct floats { float x, y, z; };
struct bits { unsigned low : 5, high : 20; long rest; };
struct large { long values[5]; };
union both { double d; unsigned char bytes[8]; };
struct nested { struct { char c[3]; } inner; float f; };

#define OUT __attribute__((noipa))
OUT char r_char(int n) { return n + 'a'; }
OUT signed char r_negative(int n) { return -n; }
OUT int r_int(int n) { return n * -1000; }
OUT long long r_long(int n) { return n * 0x123456789LL; }
OUT enum colour r_enum(int n) { return n ? GREEN : RED; }
OUT float r_float(int n) { return n * 1.5f; }
OUT double r_double(int n) { return n / 8.0; }
OUT long double r_long_double(int n) { return n * 2.25L; }
OUT const char *r_string(int n) { return "string" + n; }
OUT struct small r_small(int n) { return (struct small){n, -n}; }
OUT struct mixed r_mixed(int n) { return (struct mixed){n * 0.5, n}; }
OUT struct floats r_floats(int n) { return (struct floats){n, n + 1, n + 2}; }
OUT struct bits r_bits(int n) { return (struct bits){n, n * 1000, n}; }
OUT struct large r_large(int n) { return (struct large){{n, n + 1, n + 2, n + 3, n + 4}}; }
OUT union both r_union(int n) { return (union both){.d = n}; }
OUT struct nested r_nested(int n) { return (struct nested){{"ab"}, n}; }

int main(int argc, char **argv)
{
    int n = argc + 2;
    (void)argv;
    r_char(n), r_negative(n), r_int(n), r_long(n), r_enum(n), r_float(n), r_double(n), r_long_double(n), r_string(n), r_small(n);
    r_mixed(n), r_floats(n), r_bits(n), r_large(n), r_union(n), r_nested(n);
    return 0;
}
