"""What attention costs, as text."""

from transpose.attention.benchmark import AttentionSpeed


def render_attention_speed(title: str, speed: AttentionSpeed) -> str:
    """Captures beside a plain pass, then persons a second of each measure, with the machine that they belong to."""
    machine = speed.machine
    lines = [
        f"{title}: capturing attention, batch {speed.batch_size}",
        f"  measured on {machine.get('device')} ({machine.get('cpu')}), {speed.threads} thread(s),"
        f" torch {machine.get('torch')}; medians of {speed.repeats}",
        *(
            f"  {one.name:<48}{one.seconds * 1e3:10.1f} ms {one.per_second:8.1f} persons/s {one.ratio:6.2f} x"
            for one in speed.capturing
        ),
        "one person, all joints explained",
        *(f"  {one.name:<48}{one.seconds * 1e3:10.1f} ms {one.per_second:8.1f} persons/s" for one in speed.measuring),
    ]
    return "\n".join(lines)
