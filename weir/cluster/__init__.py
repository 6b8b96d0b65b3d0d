"""Asking the cluster: kubectl, istiod and the proxies it serves, what stands there now.
Nothing here changes anything.
"""
