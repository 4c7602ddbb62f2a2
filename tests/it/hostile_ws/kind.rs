//! Kinds of faults.

/// The time at which a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// At the next handshake, after the connection is closed.
    Handshake,
    /// At any time, in the bytes of the connection.
    Transport,
    /// At any time, in the frames of the subscription.
    Frames,
    /// Like `Frames`, if the exchange sends clocks.
    Clock,
    /// At the next `subscribe`, after the subscription is ended.
    Subscribe,
    /// At the next `get_snapshot`, after a frame is lost.
    Reply,
    /// Like `Reply`, if the exchange sends clocks.
    ClockReply,
    /// Like `Subscribe`, if the exchange sends clocks.
    ClockSubscribe,
    /// At the next `add_markets`, which the client is instructed to send.
    Addition,
}

macro_rules! kinds {
    ($($occasion:ident { $($(#[doc = $text:literal])+ $name:ident,)+ })+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($($(#[doc = $text])+ $name,)+)+
        }

        impl Kind {
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            pub fn occasion(self) -> Occasion {
                match self {
                    $($(Self::$name)|+ => Occasion::$occasion,)+
                }
            }

            pub fn description(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!($($text),+).trim_ascii_start(),)+)+
                }
            }
        }
    };
}

impl Kind {
    /// Returns `true` if the fault requires that the exchange sends clocks.
    pub fn needs_clock(self) -> bool {
        matches!(
            self.occasion(),
            Occasion::Clock | Occasion::ClockReply | Occasion::ClockSubscribe
        )
    }
}

kinds! {
    Handshake {
        /// 401 `header_timestamp_expired` with the date of the exchange.
        ExpiredTimestamp,
        /// 401 for a key that is temporarily unknown.
        UnknownKey,
        /// 403 with HTML from a content delivery network.
        Forbidden,
        /// 404 without a body.
        NotFound,
        /// 400 with an error of the exchange.
        BadRequest,
        /// 409 with an error of the exchange.
        Conflict,
        /// 302 to another host.
        Redirect,
        /// 429 with `Retry-After`.
        TooManyRequests,
        /// 502 with HTML from a proxy.
        BadGateway,
        /// 503 during maintenance.
        Maintenance,
        /// 200 with HTML instead of an upgrade.
        NoUpgrade,
        /// 101 with the accept key of another handshake.
        WrongAcceptKey,
        /// 101 to another protocol.
        OtherProtocol,
        /// Bytes that are not HTTP.
        NotHttp,
        /// Half of a response, then the connection is closed.
        HalfResponse,
        /// Closed before the request was read.
        ClosedBeforeRequest,
        /// Closed after the request was read.
        ClosedBeforeResponse,
        /// Closed after the upgrade, before a frame.
        ClosedAfterUpgrade,
        /// No response until the client times out.
        StalledHandshake,
        /// An upgrade, followed by silence.
        StalledAfterUpgrade,
    }
    Transport {
        /// A TCP reset.
        Reset,
        /// A TCP reset in the middle of a frame.
        ResetInFrame,
        /// End of the TCP stream without a close frame.
        EndOfStream,
        /// A close frame without a code.
        CloseWithoutCode,
        /// Close code 1000.
        Close1000,
        /// Close code 1001.
        Close1001,
        /// Close code 1006, which is not allowed in a frame.
        Close1006,
        /// Close code 1008.
        Close1008,
        /// Close code 1011.
        Close1011,
        /// Close code 1012.
        Close1012,
        /// Close code 4000.
        Close4000,
        /// Permanent silence on an open connection.
        HalfOpen,
        /// Pings but no messages or replies for a while.
        PingsOnly,
        /// Messages but no pings for a while.
        NoPings,
        /// Hundreds of pings.
        PingFlood,
        /// Pongs without a ping.
        UnsolicitedPongs,
        /// Frames that arrive byte by byte.
        Trickle,
        /// Messages in fragments, with pings in between.
        Fragments,
        /// Many frames in one segment.
        OneSegment,
        /// Text in binary frames.
        BinaryFrames,
        /// A frame above the length limit.
        GiantFrame,
        /// Fragments that exceed the length limit together.
        GiantMessage,
        /// Text that is not UTF-8.
        InvalidUtf8,
        /// A frame with the compression bit, which was not negotiated.
        Compressed,
        /// A frame with an unknown opcode.
        UnknownOpcode,
        /// A masked frame, which only clients send.
        Masked,
        /// A ping with too long a payload.
        LongPing,
        /// A continuation frame without a first fragment.
        LoneContinuation,
    }
    Frames {
        /// A frame is lost.
        LostFrame,
        /// Several frames are lost.
        LostRun,
        /// The last frame is sent twice.
        LastRepeated,
        /// An earlier frame is repeated.
        EarlierRepeated,
        /// Two frames swap places.
        Swapped,
        /// The sequence restarts at 1.
        RestartAtOne,
        /// The sequence restarts at a lower number.
        RestartLower,
        /// The sequence jumps to a higher number.
        RestartHigher,
        /// A change without a sequence number.
        MissingSeq,
        /// A change numbered 0.
        ZeroSeq,
        /// A change with the largest sequence number.
        MaxSeq,
        /// A change with a negative sequence number.
        NegativeSeq,
        /// A change with an unknown `sid`.
        UnknownSid,
        /// A change without a `sid`.
        MissingSid,
        /// A change of a subscription that has ended.
        EndedSid,
        /// Frames no longer have clocks.
        ClocksVanish,
        /// An unrequested snapshot.
        UnrequestedSnapshot,
        /// An unrequested snapshot with an earlier number.
        SnapshotWithEarlierSeq,
        /// A snapshot with a negative level.
        NegativeLevel,
        /// A snapshot that lists a level twice.
        DuplicateLevel,
        /// A snapshot with a level at price 0.
        LevelAtZero,
        /// A snapshot with a level at one dollar.
        LevelAtOne,
        /// A crossed snapshot.
        CrossedSnapshot,
        /// A snapshot of a market that is not subscribed to.
        SnapshotOfOtherMarket,
        /// A market loses all its levels, so its snapshot is empty.
        EmptyBook,
        /// A snapshot with fields that cannot be decoded.
        MalformedSnapshot,
        /// A numbered message of an unknown type instead of a change.
        UnknownType,
        /// A message of an unknown type, without a number, instead of a change.
        UnknownTypeWithoutSeq,
        /// A truncated message.
        BrokenJson,
        /// An empty message.
        EmptyText,
        /// JSON that is not an object.
        NotAnObject,
        /// A change without a price.
        MissingField,
        /// A change without a market.
        MissingMarket,
        /// A change whose fields have other types.
        WrongTypes,
        /// A change at a price out of range.
        PriceOutOfRange,
        /// A change that removes more than the level has.
        RemovesTooMuch,
        /// A change of an unknown side.
        UnknownSide,
        /// A change of a market that is not subscribed to.
        ChangeOfOtherMarket,
        /// Reordered fields, with escapes and unknown fields.
        OtherSpelling,
        /// An action that crosses the book temporarily.
        TransientCrossing,
        /// A book that stays crossed for a while.
        LastingCrossing,
        /// An `ok` without a command or a list.
        UnrequestedOk,
        /// Error 25 for the subscription.
        Overflow,
        /// Error 25 without a `sid`.
        OverflowOfAll,
        /// Error 10 for the subscription.
        ChannelFailed,
        /// An error without a command, which does not end the subscription.
        StrayError,
        /// An `unsubscribed` that the client did not request.
        Unsubscribed,
    }
    Clock {
        /// The clock of a market falls.
        ClockFalls,
        /// The clocks of all markets restart at 1.
        ClocksRestart,
        /// A single clock far ahead.
        ClockLeaps,
        /// A change without a clock.
        ClockMissing,
        /// Two changes of an action with one clock, and a pause between them.
        EqualClocks,
        /// A snapshot that is older than the last change.
        SnapshotWithLowerClock,
    }
    Subscribe {
        /// The acknowledgement is lost.
        AckLost,
        /// The acknowledgement is sent twice.
        AckTwice,
        /// Snapshots and changes arrive before the acknowledgement.
        AckLate,
        /// The acknowledgement and all snapshots are lost, so the next one is merged without snapshots.
        MergedWithoutSnapshots,
        /// An `ok` without a list acknowledges the subscription.
        MergedWithoutList,
        /// Error 18 rejects the subscription.
        SubscribeTimedOut,
        /// Error 25 rejects the subscription, without a `sid`.
        SubscribeOverflowed,
        /// The first snapshot is lost.
        FirstSnapshotLost,
        /// No snapshot arrives.
        NoSnapshots,
        /// Changes arrive before the snapshots.
        FirstSnapshotsLate,
        /// From now on, more than one snapshot at once overflows the queue.
        SnapshotBurst,
    }
    ClockSubscribe {
        /// Changes arrive before the snapshots, which are older.
        FirstSnapshotsOld,
    }
    Reply {
        /// A requested snapshot is lost.
        ReplyLost,
        /// A requested snapshot has the number of the previous frame.
        ReplyUnnumbered,
        /// A requested snapshot arrives late, with the number from when it was made.
        ReplyLate,
        /// More changes than a stale book buffers, followed by a snapshot from before them.
        BufferOverflow,
        /// A requested snapshot arrives twice.
        ReplyTwice,
        /// A requested snapshot has the ID of another command.
        ReplyWithOtherId,
        /// A requested snapshot has no command ID.
        ReplyWithoutId,
        /// A requested snapshot cannot be decoded.
        ReplyMalformed,
        /// A requested snapshot lists a level twice.
        ReplyInvalid,
        /// A requested snapshot shows another market.
        ReplyOfOtherMarket,
        /// Only one of the requested snapshots arrives.
        ReplyIncomplete,
        /// Error 14 rejects the request.
        ReplyRejected,
        /// Error 18 rejects the request.
        ReplyTimedOut,
        /// Error 27 rejects the request.
        ReplyRateLimited,
        /// An error with a `sid`, but without a command ID.
        ErrorWithoutId,
        /// Error 25 in reply to the request, without a `sid`.
        ReplyOverflowed,
    }
    ClockReply {
        /// A requested snapshot is older than the last change.
        ReplyWithLowerClock,
        /// A requested snapshot is older than a lost change.
        ReplyFromBeforeLoss,
        /// The clock of a market falls before its requested snapshot.
        ReplyAfterClockFell,
    }
    Addition {
        /// Error 25 in reply to the addition, without a `sid`.
        AdditionOverflowed,
        /// Error 18 in reply to the addition.
        AdditionTimedOut,
        /// The addition is not acknowledged.
        AdditionAckLost,
        /// The addition is acknowledged twice.
        AdditionAckTwice,
        /// The addition is acknowledged without a list.
        AdditionWithoutList,
        /// The addition is acknowledged, but no snapshot follows.
        AdditionWithoutSnapshot,
    }
}
