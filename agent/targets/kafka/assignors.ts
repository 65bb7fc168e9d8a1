// How the leader of a group shares partitions out, under the names that Promtail's and Java's consumers know, so that they can be
// members of one group.

import kafkajs, { type Assigner, type PartitionAssigner } from "kafkajs";

/** Partitions of each topic. */
export type TopicPartitions = ReadonlyMap<string, readonly number[]>;
/** Topics each member wants, by its id. */
export type Subscriptions = ReadonlyMap<string, readonly string[]>;
export type Shares = Map<string, Record<string, number[]>>;
type Share = (members: Subscriptions, topics: TopicPartitions) => Shares;

/** Neighbouring partitions of each topic to each member, one more to the first when it does not divide evenly. */
export function shareByRange(members: Subscriptions, topics: TopicPartitions): Shares {
  const shares: Shares = new Map();
  for (const [topic, partitions] of topics) {
    const takers = takersOf(topic, members);
    const each = Math.floor(partitions.length / takers.length);
    const more = partitions.length % takers.length;
    let from = 0;
    for (const [i, member] of takers.entries()) {
      const to = from + each + (i < more ? 1 : 0);
      for (const partition of partitions.slice(from, to)) give(shares, member, topic, partition);
      from = to;
    }
  }
  return shares;
}

/** All partitions of all topics, by turns. */
export function shareInTurn(members: Subscriptions, topics: TopicPartitions): Shares {
  const shares: Shares = new Map();
  const all = [...members.keys()].sort();
  let turn = 0;
  for (const topic of [...topics.keys()].sort()) {
    const takers = new Set(takersOf(topic, members));
    if (takers.size === 0) continue;
    for (const partition of topics.get(topic)!) {
      while (!takers.has(all[turn % all.length]!)) turn++;
      give(shares, all[turn++ % all.length]!, topic, partition);
    }
  }
  return shares;
}

function takersOf(topic: string, members: Subscriptions): string[] {
  return [...members]
    .filter(([, topics]) => topics.includes(topic))
    .map(([member]) => member)
    .sort();
}

function give(shares: Shares, member: string, topic: string, partition: number): void {
  const share = shares.get(member) ?? {};
  shares.set(member, share);
  (share[topic] ??= []).push(partition);
}

/** What this agent can lead a group with, by the names of `assignor`. */
export const ASSIGNORS = {
  range: assignor("range", shareByRange),
  roundrobin: assignor("roundrobin", shareInTurn),
} as const satisfies Readonly<Record<string, PartitionAssigner>>;

/** The library's types do not tell of this part of its cluster. */
interface ClusterMetadata {
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
}

function assignor(name: string, share: Share): PartitionAssigner {
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  return ({ cluster }): Assigner => ({
    name,
    version: 0,
    protocol: ({ topics }) => ({ name, metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }) }),
    assign: async ({ members, topics }) => {
      const known = cluster as unknown as ClusterMetadata;
      const partitionsOf = (topic: string): number[] =>
        known
          .findTopicPartitionMetadata(topic)
          .map(({ partitionId }) => partitionId)
          .sort((a, b) => a - b);
      const wanted = members.map(
        ({ memberId, memberMetadata }) => [memberId, MemberMetadata.decode(memberMetadata)?.topics ?? []] as const,
      );
      const shares = share(new Map(wanted), new Map(topics.map((topic) => [topic, partitionsOf(topic)])));
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({ version: 0, assignment: shares.get(memberId) ?? {}, userData: Buffer.alloc(0) }),
      }));
    },
  });
}
