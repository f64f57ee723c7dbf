"""The same shop without Isthmus, on one driver each: what the calls of ``shop.dal`` stand for."""
