"""Train a small decoder on an anchor function, then ask which attention edges carry the answer. Runs in a few seconds.

The answer is the token behind the anchor (token 3). In a trained model the key learns in layer 0 that an anchor stands
before it, and the last token reads the key in layer 1. Only cutting edges shows the first of the two: its attention
weight stays near that of a uniform pattern. Zhang et al. (2024), arXiv 2401.08309.
"""

import torch
from torch.nn.functional import cross_entropy

from lab.data.anchor import AnchorTask, draw_sequences
from lab.measures.ablation import ablated, accuracy_without, last_token_accuracy
from lab.measures.attention import attention_between, attention_maps
from lab.measures.information_flow import causal_edge_effects, flow_graph
from lab.measures.residual_stream import logit_lens
from lab.models.architecture import Architecture
from lab.models.attention import Edge
from lab.models.transformer import Transformer
from lab.models.transformer_init import normal_init

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)

# Held-out sequences show every token at positions where training never had it
task = AnchorTask(length=6, modulus=5, noise=(20, 49), keys=(20, 49))
train = draw_sequences(task, 600, generator)
test = draw_sequences(task, 300, generator, held_out=True)

sizes = Architecture(vocabulary=task.vocabulary, positions=6, width=64, layers=2, heads=1, head_width=32, mlp_width=128)
model = Transformer(sizes, generator)
normal_init(model, generator, gamma=0.8)
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
for _ in range(200):
    rows = torch.randint(len(train.labels), (100,), generator=generator)
    loss = cross_entropy(model.predict(train.tokens[rows]), train.labels[rows])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
print(f"held-out accuracy {last_token_accuracy(model, test.tokens, test.labels):.3f}")

# Attention between roles: the positions differ from sequence to sequence
anchor, key, last = test.anchors[:, 0], test.key, torch.full_like(test.key, 5)
maps = attention_maps(model, test.tokens)
print(f"layer 0, key reads anchor: {attention_between(maps, key, anchor)[0].mean():.2f}")
print(f"layer 1, last reads key:   {attention_between(maps, last, key)[1].mean():.2f}")

# What is each edge worth? Cut it and see
circuits = {
    "layer 0, key <- anchor": [Edge(0, key, anchor)],
    "layer 0, key <- key": [Edge(0, key, key)],
    "layer 1, last <- key": [Edge(1, last, key)],
    "layer 1, last <- anchor": [Edge(1, last, anchor)],
}
for name, accuracy in accuracy_without(model, test.tokens, test.labels, circuits).items():
    print(f"accuracy without {name}: {accuracy:.3f}")

# The same for every edge of one sequence, as a graph of plain arrays
effects = causal_edge_effects(model, test.tokens[:1], test.labels[:1])
graph = flow_graph(effects.numpy(), threshold=0.5)
print("sequence", test.tokens[0].tolist(), "answer", int(test.labels[0]))
for (source, target), weight in zip(graph.edges, graph.weights, strict=True):
    (layer, read), (_, reader) = graph.nodes[source], graph.nodes[target]
    print(f"  layer {layer}: token {reader} <- token {read} carries {weight:.2f} nats")

# Where in depth does the answer appear? And what is left with the head of layer 1 silent?
with torch.no_grad():
    guesses = logit_lens(model, model.trace(test.tokens))[:, :, -1].argmax(-1)
print("logit lens, accuracy by layer:", [round(x, 3) for x in (guesses == test.labels).float().mean(1).tolist()])
with ablated(model, heads=[(1, 0)]):
    print(f"without the head of layer 1: {last_token_accuracy(model, test.tokens, test.labels):.3f}")
