"""The brain: one folder a job, pure logic apart from the stage that wires topic -> logic -> topic.

Not here: how records are consumed (streams/engine) and where state is shown (sinks/). Start with generation/ or kpis/.
"""
