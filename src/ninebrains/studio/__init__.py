"""The web page where people label, train, look at errors and deploy: its server side.

page (browser) ◄── http ──► Studio ──► store (SQLite), bringing (photos in), learning, shipping
"""
