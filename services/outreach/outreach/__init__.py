"""Outreach: whom to contact today, why, and what to say.

It keeps facts about every client from events alone, ranks a chain's clients with a purchase model, and holds each
associate's queue of suggestions. Messaging decides whether a text may go out; profiles knows who a client is;
outreach only decides whom.
"""
