"""Where runs compute: in the calling thread, in a spawned child, several at once. The messages are the same.

The one part of lab that knows of run files: it joins the engine and a writer.
"""
