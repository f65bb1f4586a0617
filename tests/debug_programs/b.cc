#include <cstdio>
namespace geo {
struct Base { int id; virtual int area() const { return id; } virtual ~Base() {} };
struct Derived : Base { int w, h; Derived(int a, int b) : w(a), h(b) { id = 42; } int area() const override; };
int Derived::area() const
{
    int r = w * h;
    return r + id;
}
template <typename T> T biggest(T a, T b)
{
    T best = a;
    if (b > a)
        best = b;
    return best;
}
namespace { int hidden(int &ref) { ref += 2; return ref; } }
class Outer { public: static int shared; struct Inner { long long v; }; Inner in; bool ok; };
int Outer::shared = 77;
}
int thrower(int n)
{
    if (n == 0)
        throw 5;
    return thrower(n - 1) + 1;
}
int main()
{
    geo::Derived d(3, 4);
    const geo::Base &b = d;
    geo::Outer o = {{1LL << 40}, true};
    int v = geo::biggest(3, 9) + (int)geo::biggest(2.5, 1.5);
    v += geo::hidden(v);
    try { v += thrower(3); } catch (int e) { v += e; }
    std::printf("%d %d %d\n", b.area(), v, (int)o.in.v + geo::Outer::shared);
    return 0;
}
