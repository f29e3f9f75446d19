#!/usr/bin/env python3
"""Writes polynomials.h: minimax polynomials, fitted by the Remez exchange in 60 digits, then rounded to their type.

Usage: fit_polynomials.py > polynomials.h      (needs mpmath)
Each fit minimizes max |weight(x) * (f(x) - p(x))| over [a, b]; the error printed beside it is that maximum, as a power
of two, before rounding of the coefficients. Weights make it the relative error of the function that the polynomial is
for.
"""
import struct
from mpmath import mp, mpf, matrix, lu_solve, exp, expm1, log, sin, cos, tanh, asin, atan, erf, erfc, sqrt, pi, cbrt

mp.dps = 60
TINY = mpf(10) ** -8  # intervals start here where f has a removable singularity at 0


def remez(f, weight, a, b, degree):
    a, b = mpf(a), mpf(b)
    count = degree + 2
    nodes = [(a + b) / 2 + (b - a) / 2 * cos(pi * (count - 1 - i) / (count - 1)) for i in range(count)]
    grid = [(a + b) / 2 - (b - a) / 2 * cos(pi * i / (16 * count)) for i in range(16 * count + 1)]
    samples = [(x, f(x), weight(x)) for x in grid]
    for _ in range(12):
        system = matrix(count, count)
        right = matrix(count, 1)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                system[i, j] = x ** j
            system[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = f(x)
        solution = lu_solve(system, right)
        coefficients = [solution[j] for j in range(degree + 1)]
        error = lambda fx, w, x: w * (fx - sum(c * x ** j for j, c in enumerate(coefficients)))
        errors = [(error(fx, w, x), x) for x, fx, w in samples]
        # The extreme of each run of one sign.
        extremes = []
        for e, x in errors:
            if extremes and (extremes[-1][0] > 0) == (e > 0):
                if abs(e) > abs(extremes[-1][0]):
                    extremes[-1] = (e, x)
            else:
                extremes.append((e, x))
        while len(extremes) > count:
            extremes.pop(0 if abs(extremes[0][0]) < abs(extremes[-1][0]) else -1)
        worst = max(abs(e) for e, _ in errors)
        if len(extremes) < count or worst < abs(solution[degree + 1]) * mpf('1.001'):
            break
        nodes = [x for _, x in extremes]
    return coefficients, worst


def rounded(x, dtype):
    # Shortest text that reads back as the nearest double or float.
    if dtype == 'f64':
        return repr(float(x))
    single = struct.unpack('f', struct.pack('f', float(x)))[0]
    for digits in range(6, 10):
        text = f'{single:.{digits}g}'
        if struct.unpack('f', struct.pack('f', float(text)))[0] == single:
            break
    return text if '.' in text or 'e' in text else text + '.0'


def emit(name, dtype, what, f, weight, a, b, degree):
    coefficients, worst = remez(f, weight, a, b, degree)
    print(f'/// {what}; error 2^{float(log(worst, 2)):.1f}.')
    print(f'inline constexpr double {name}_{dtype}[] = {{' + ', '.join(rounded(c, dtype) for c in coefficients) + '};')


half_ln2 = log(2) / 2 * mpf('1.0001')
root2 = sqrt(2)


def atanh_series(z):  # (log((1+s)/(1-s)) - 2s) / s^3 at s = sqrt(z)
    s = sqrt(z)
    return (log((1 + s) / (1 - s)) - 2 * s) / s ** 3


def atanh_tail(z):  # the same without its first term 2/3, divided by z
    return (atanh_series(z) - mpf(2) / 3) / z


print('''// Written by fit_polynomials.py: minimax polynomials, lowest coefficient first. Do not edit.
#pragma once

namespace pullback::ops::math {
''')
emit('exp_tail', 'f64', '(exp(r) - 1 - r - r^2/2) / r^3, |r| <= ln(2)/2',
     lambda r: (exp(r) - 1 - r - r * r / 2) / r ** 3, lambda r: r ** 3 / exp(r), -half_ln2, half_ln2 + TINY, 9)
emit('exp_tail', 'f32', '(exp(r) - 1 - r - r^2/2) / r^3, |r| <= ln(2)/2',
     lambda r: (exp(r) - 1 - r - r * r / 2) / r ** 3, lambda r: r * r, -half_ln2, half_ln2 + TINY, 3)
z_log = ((root2 - 1) / (root2 + 1)) ** 2 * mpf('1.001')
emit('log_tail', 'f64', '(log(1+f) - 2s) / s^3 in z = s^2, s = f/(2+f), 1+f within sqrt(2) of 1',
     atanh_series, lambda z: z, TINY, z_log, 6)
emit('log_long_tail', 'f64', '((log(1+f) - 2s) / s^3 - 2/3) / z in z = s^2, for double-double logarithms',
     atanh_tail, lambda z: z * z, TINY, z_log, 8)
emit('log_tail', 'f32', '(log(1+f) - f + f^2/2) / f^3, 1+f in [sqrt(1/2), sqrt(2)]',
     lambda f: (log(1 + f) - f + f * f / 2) / f ** 3, lambda f: f * f,
     1 / root2 - 1 - mpf('0.0001'), root2 - 1 + mpf('0.0001'), 7)
quarter = pi / 4 * mpf('1.0005')
for dtype, degree in (('f64', 5), ('f32', 2)):
    emit('sin_tail', dtype, '(sin(r) - r) / r^3 in r^2, |r| <= pi/4',
         lambda z: (sin(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3, lambda z: z, TINY, quarter ** 2, degree)
    emit('cos_tail', dtype, '(cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= pi/4',
         lambda z: (cos(sqrt(z)) - 1 + z / 2) / z ** 2, lambda z: z ** 2, TINY, quarter ** 2, degree)
emit('asin_tail', 'f64', '(asin(x) - x) / x^3 in x^2, |x| <= 1/2',
     lambda z: (asin(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3, lambda z: z, TINY, mpf('0.2501'), 12)
emit('atan_tail', 'f64', '(atan(t) - t) / t^3 in t^2, |t| <= tan(pi/8)',
     lambda z: (atan(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3, lambda z: z, TINY, (root2 - 1) ** 2 * mpf('1.001'), 11)
emit('tanh_tail', 'f32', '(tanh(x) - x) / x^3 in x^2, |x| <= 0.625',
     lambda z: (tanh(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3, lambda z: z, TINY, mpf('0.3907'), 4)
emit('erf_small', 'f64', '(erf(x) - c x) / x^3 in x^2, c = 2/sqrt(pi), |x| <= 1',
     lambda z: (erf(sqrt(z)) / sqrt(z) - 2 / sqrt(pi)) / z, lambda z: z, TINY, mpf('1.001'), 10)
emit('erf_log', 'f32', 'log(erfc(x)) / x + 1, 0 <= x <= 3.92, for the relative error of 1 - exp of the logarithm',
     lambda x: log(erfc(x)) / x + 1, lambda x: x * erfc(x) / erf(x), TINY, mpf('3.92'), 8)


def erfcx_in(q):  # q = (x-3)/(x+3), x in [0.4, 28]
    x = 3 * (1 + q) / (1 - q)
    return (1 + 2 * x) * exp(x * x) * erfc(x)


def q_of(x):
    return (mpf(x) - 3) / (mpf(x) + 3)


emit('erfc_scaled', 'f64', '(1 + 2x) exp(x^2) erfc(x) in q = (x-3)/(x+3), 0.45 <= x <= 28',
     erfcx_in, lambda q: 1 / erfcx_in(q), q_of('0.45'), q_of(28), 23)
emit('cbrt_start', 'f64', 'cbrt(m), 1 <= m <= 8', lambda m: cbrt(m), lambda m: 1 / cbrt(m), 1, 8, 5)
print('''
}  // namespace pullback::ops::math''')
