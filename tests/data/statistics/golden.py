"""Rank correlations and fits by SciPy, for tests/test_statistics.c.

usage: golden.py     prints the tables of the test
"""
import itertools
import numpy as np, scipy
from scipy.optimize import curve_fit
from scipy.stats import permutation_test, spearmanr, t

print("# SciPy", scipy.__version__, "NumPy", np.__version__)

# The paper's Table 4.
ppl = np.array([33.5, 26.0, 25.7, 22.6, 21.0, 15.9, 14.4, 13.8, 13.3, 12.5])
size = np.log10([117e6, 345e6, 125e6, 762e6, 1.5e9, 1.3e9, 2.7e9, 6.0e9, 6.7e9, 13e9])
count = np.array([1, 2, 2, 2, 2, 4, 5, 6, 6, 7.])
layers = np.array([.25, .29, .25, .31, .41, .64, .52, .62, 1, 1])
positions = np.array([.06, .18, .22, .16, .35, .47, .18, .28, .75, .73])
median = np.array([7, 7, 23, 6, 9, 21, 16, 17, 40, 58.])

cases = {
    "without ties": ([3.1, 1.2, 5.9, 4.4, 2.0, 7.7, 6.3], [2.5, 1.1, 4.8, 6.0, 3.3, 5.5, 9.9]),
    "falling": ([1, 2, 3, 4, 5], [10, 8, 7, 3, 1]),
    "ties in x": ([2, 2, 2, 8], [0, 0, 33, 75]),
    "ties in both": ([1, 1, 2, 2, 3, 3, 3, 9], [4, 5, 4, 6, 6, 6, 1, 9]),
    "one high": ([1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 1]),
    "layers by size": (size, layers), "count by perplexity": (ppl, count),
    "median by size": (size, median),
}


def spearman(x, y):
    return spearmanr(x, y).statistic


for name, (x, y) in cases.items():
    if len(x) <= 8:
        exact = permutation_test((x,), lambda a: abs(spearman(a, y)), permutation_type="pairings",
                                 n_resamples=np.inf, alternative="greater", vectorized=False)
        p = exact.pvalue
    else:      # all pairings by ranks: SciPy would take hours for 10!
        from scipy.stats import rankdata
        a, b = rankdata(x) - (len(x) + 1) / 2, rankdata(y) - (len(x) + 1) / 2
        at_least, seen, least = 0, 0, abs(a @ b) - 1e-9
        perms = itertools.permutations(b)
        while block := list(itertools.islice(perms, 500000)):
            s = np.abs(np.array(block) @ a)
            at_least += int((s >= least).sum())
            seen += len(block)
        p = at_least / seen
    print(f"{name}: rho {spearman(x, y):.16g} p {p:.16g}")

x = np.arange(14.)
y = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7.])
many = permutation_test((x,), lambda a: abs(spearman(a, y)), permutation_type="pairings",
                        n_resamples=200000, alternative="greater", vectorized=False, rng=1)
print(f"14 points: rho {spearman(x, y):.16g} p about {many.pvalue:.4g}")

unit = lambda x, m, s: 1 / (1 + np.exp(-s * (x - m)))
free = lambda x, m, s, c: c * unit(x, m, s)
exponential = lambda x, r, a: a * np.exp(-r * (x - x.min()))
forms = [("layers by size", unit, size, layers, [9, 1]),
         ("positions by size", unit, size, positions, [9, 1]),
         ("layers by perplexity", exponential, ppl, layers, [.1, 1]),
         ("count by perplexity", exponential, ppl, count, [.1, 6]),
         ("made up", free, np.arange(1, 9.), np.array([.3, .2, 1.1, 2.2, 4.1, 4.9, 5.6, 5.3]),
          [4, 1, 5])]
for name, form, x, y, start in forms:
    best, covariance = curve_fit(form, x, y, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    free_degrees = len(x) - len(best)
    half = t.ppf(.975, free_degrees) * np.sqrt(np.diag(covariance))
    residual = np.sqrt(((form(x, *best) - y) ** 2).sum() / free_degrees)
    print(name, *(f"{b:.10g} +- {h:.8g}," for b, h in zip(best, half)), f"residual {residual:.10g}")
