def fold(t): return t.lower()
def terms(q): return [(w,) for w in q.lower().split()]
def fts5_query(t): return " ".join('"%s"*' % a[0] for a in t)
def tsquery(t): return " & ".join(a[0]+":*" for a in t)
def snippet(t, terms, width=160): return [(t[:width], False)]
