"""Kinds of number: one file each, one interface.

A *kind* answers to the same names, so that a rule written once runs on all of them:

========================  ====================================================================
``k.number(q)``           an exact int, float or Fraction as a scalar of this kind
``k.weight(a)``           an array of weights as an array of this kind
``k.matvec(w, x)``        ``x @ w.T`` on the last axis
``k.rmatvec(w, y)``       ``y @ w`` on the last axis
``k.stack``, ``k.concat``, ``k.take``, ``k.total``, ``k.broadcast``   wiring
``k.exp`` …               elementary functions, coordinate by coordinate
``k.where_greater``, ``k.band``   cases; from them follow ``step``, ``maximum``, ``minimum``, ``clip``
``k.times``, ``k.bounded``   products where a vanishing factor wins over an infinite one
========================  ====================================================================

Kinds whose values are sets, balls and intervals, also tell their ``ends``, whether they lie ``within`` two numbers or
have one between them (``meets``), and their ``part`` there, ``union`` and ``meet``; chains make hulls of these.

`+ - *` are the operators of the values themselves. Values are arrays of shape (..., n); symbols, balls and
program variables live in NumPy object arrays, which take part in the same indexing and broadcasting, intervals in pairs
of arrays.
"""
