"""Where a searcher keeps its items: in memory, in LanceDB, or in Milvus."""
