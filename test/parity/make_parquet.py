"""Writes test/golden/rows/: Parquet files as pyarrow writes them. Needs pyarrow.

    python test/parity/make_parquet.py [DIR]
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "test/golden/rows")
folder.mkdir(parents=True, exist_ok=True)
chats = pa.table(
    {
        "id": pa.array([1, 2], pa.int64()),
        "messages": [
            [{"role": "user", "content": "Hi ☃"}, {"role": "assistant", "content": "Ho"}],
            [{"role": "assistant", "content": "Ahoy"}],
        ],
        "text": pa.array([None, None], pa.string()),
    }
)
labels = pa.table(
    {
        "text": ["good", "bad", "fine"],
        "label": pa.array([1, 0, 1], pa.int64()),
        "input": pa.array([[1, 2], [], [3]], pa.list_(pa.int32())),
    }
)
pq.write_table(chats, folder / "chats.parquet", compression="snappy")
pq.write_table(labels, folder / "labels.parquet", compression="none", use_dictionary=False, data_page_version="2.0")
pq.write_table(labels, folder / "zstd.parquet", compression="zstd")
