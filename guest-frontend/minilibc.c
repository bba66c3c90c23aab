/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/minilibc.c - what a guest has of the C library. */
#include "guest-frontend/minilibc.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
	return ret;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != q[i])
			return p[i] - q[i];
	}
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, PTRDIFF_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i])
			return (uint8_t)a[i] - (uint8_t)b[i];
		if (!a[i])
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, PTRDIFF_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

/* ---- snprintf ------------------------------------------------------------- */

struct out {
	char *buf;
	size_t size, n;
};

struct spec {
	bool left, zero;
	unsigned int width;
	size_t precision;     /* SIZE_MAX: none */
	unsigned int lengths; /* how many of l, z and j */
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text,
		       size_t n)
{
	size_t pad = s->width > n ? s->width - n : 0;

	for (size_t i = 0; !s->left && i < pad; i++)
		put(o, s->zero ? '0' : ' ');
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
	for (size_t i = 0; s->left && i < pad; i++)
		put(o, ' ');
}

static void put_number(struct out *o, struct spec *s, uint64_t v,
		       unsigned int base, const char *digits, bool minus)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[v % base];
		v /= base;
	} while (v);
	if (minus && s->zero && !s->left) {
		put(o, '-');
		s->width -= s->width ? 1 : 0;
	} else if (minus) {
		text[--at] = '-';
	}
	put_padded(o, s, text + at, sizeof(text) - at);
}

static const char *parse(const char *f, struct spec *s)
{
	char *end;

	*s = (struct spec){ .precision = SIZE_MAX };
	for (; *f == '-' || *f == '0'; f++) {
		if (*f == '-')
			s->left = true;
		else
			s->zero = true;
	}
	s->width = (unsigned int)strtoull(f, &end, 10);
	f = end;
	if (*f == '.') {
		s->precision = strtoull(f + 1, &end, 10);
		f = end;
	}
	for (; *f == 'l' || *f == 'z' || *f == 'j'; f++)
		s->lengths++;
	return f;
}

static int64_t next_signed(const struct spec *s, va_list *ap)
{
	return s->lengths ? va_arg(*ap, int64_t) : va_arg(*ap, int);
}

static uint64_t next_unsigned(const struct spec *s, va_list *ap)
{
	return s->lengths ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int);
}

static void convert(struct out *o, char c, struct spec *s, va_list *ap)
{
	static const char lower[] = "0123456789abcdef";
	static const char upper[] = "0123456789ABCDEF";
	const char *text;
	int64_t v;
	char one;

	switch (c) {
	case 'd':
	case 'i':
		v = next_signed(s, ap);
		put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, lower,
			   v < 0);
		break;
	case 'u':
		put_number(o, s, next_unsigned(s, ap), 10, lower, false);
		break;
	case 'x':
		put_number(o, s, next_unsigned(s, ap), 16, lower, false);
		break;
	case 'X':
		put_number(o, s, next_unsigned(s, ap), 16, upper, false);
		break;
	case 'p':
		s->lengths = 1;
		put_number(o, s, next_unsigned(s, ap), 16, lower, false);
		break;
	case 'c':
		one = (char)va_arg(*ap, int);
		put_padded(o, s, &one, 1);
		break;
	case 's':
		text = va_arg(*ap, const char *);
		put_padded(o, s, text, strnlen(text, s->precision));
		break;
	default:
		put(o, c);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct spec s;
	va_list copy;

	va_copy(copy, ap);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = parse(fmt + 1, &s);
		if (!*fmt)
			break;
		convert(&o, *fmt, &s, &copy);
	}
	va_end(copy);
	if (size)
		buf[o.n < size ? o.n : size - 1] = '\0';
	return (int)o.n;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

unsigned long long strtoull(const char *s, char **end, int base)
{
	unsigned long long v = 0;

	if (base == 0 && s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	base = base ? base : 10;
	for (; digit(*s) < base; s++)
		v = v * (unsigned int)base + (unsigned int)digit(*s);
	if (end)
		*end = (char *)(uintptr_t)s;
	return v;
}
