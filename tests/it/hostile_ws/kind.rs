//! The kinds of faults.

/// The occasion on which a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The next handshake, after the connection was cut.
    Handshake,
    /// Any time, in the bytes of the connection.
    Transport,
    /// Any time, in the frames of the subscription.
    Frames,
    /// As `Frames`, if the exchange sends clocks.
    Clock,
    /// The next `subscribe`, after the subscription was ended.
    Subscribe,
    /// The next `get_snapshot`, after a frame was lost.
    Reply,
    /// As `Reply`, if the exchange sends clocks.
    ClockReply,
    /// As `Subscribe`, if the exchange sends clocks.
    ClockSubscribe,
    /// The next `add_markets`, which the client is asked for.
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
    /// Returns `true` if it happens only where the exchange sends clocks.
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
        /// 401 for a key that is unknown at the moment.
        UnknownKey,
        /// 403 with HTML of the edge.
        Forbidden,
        /// 404 without a body.
        NotFound,
        /// 400 with the error of the exchange.
        BadRequest,
        /// 409.
        Conflict,
        /// 302 to another host.
        Redirect,
        /// 429 with `Retry-After`.
        TooManyRequests,
        /// 502 of a proxy.
        BadGateway,
        /// 503 during maintenance.
        Maintenance,
        /// 200 with a page instead of an upgrade.
        NoUpgrade,
        /// 101 with the accept key of another handshake.
        WrongAcceptKey,
        /// 101 to another protocol.
        OtherProtocol,
        /// Bytes that are not HTTP.
        NotHttp,
        /// Half of a response, then the end.
        HalfResponse,
        /// Closed before the request was read.
        ClosedBeforeRequest,
        /// Closed after the request was read.
        ClosedBeforeResponse,
        /// Closed after the upgrade, before a frame.
        ClosedAfterUpgrade,
        /// No response until the client gives up.
        StalledHandshake,
        /// Upgraded, and then not a byte.
        StalledAfterUpgrade,
    }
    Transport {
        /// A TCP reset.
        Reset,
        /// A TCP reset in the middle of a frame.
        ResetInFrame,
        /// The end of the TCP stream without a close frame.
        EndOfStream,
        /// A close frame without a code.
        CloseWithoutCode,
        /// Close code 1000.
        Close1000,
        /// Close code 1001.
        Close1001,
        /// Close code 1006, which no frame may have.
        Close1006,
        /// Close code 1008.
        Close1008,
        /// Close code 1011.
        Close1011,
        /// Close code 1012.
        Close1012,
        /// Close code 4000.
        Close4000,
        /// Silence on an open connection, forever.
        HalfOpen,
        /// Pings, but no messages and no replies for a while.
        PingsOnly,
        /// No pings for a while, but messages.
        NoPings,
        /// Hundreds of pings.
        PingFlood,
        /// Pongs that nobody asked for.
        UnsolicitedPongs,
        /// Frames that arrive byte by byte.
        Trickle,
        /// Messages in fragments, with pings in between.
        Fragments,
        /// Many frames in one segment.
        OneSegment,
        /// Text in binary frames.
        BinaryFrames,
        /// A frame longer than the limit.
        GiantFrame,
        /// Fragments that are longer than the limit together.
        GiantMessage,
        /// Text that is not UTF-8.
        InvalidUtf8,
        /// A frame with the bit of compression, which was not agreed.
        Compressed,
        /// A frame with an unknown opcode.
        UnknownOpcode,
        /// A masked frame, which only clients send.
        Masked,
        /// A ping longer than pings may be.
        LongPing,
        /// A continuation of nothing.
        LoneContinuation,
    }
    Frames {
        /// A frame is lost.
        LostFrame,
        /// Several frames are lost.
        LostRun,
        /// The last frame is sent twice.
        LastRepeated,
        /// An earlier frame is sent again.
        EarlierRepeated,
        /// Two frames swap places.
        Swapped,
        /// The count restarts at 1.
        RestartAtOne,
        /// The count restarts at a lower number.
        RestartLower,
        /// The count jumps to a higher number.
        RestartHigher,
        /// A change without a sequence number.
        MissingSeq,
        /// A change numbered 0.
        ZeroSeq,
        /// A change with the highest number there is.
        MaxSeq,
        /// A change with a negative number.
        NegativeSeq,
        /// A change of a subscription that does not exist.
        UnknownSid,
        /// A change without a subscription.
        MissingSid,
        /// A change of a subscription that has ended.
        EndedSid,
        /// Frames stop having clocks.
        ClocksVanish,
        /// A snapshot that nobody asked for.
        UnrequestedSnapshot,
        /// A snapshot that nobody asked for, with an earlier number.
        SnapshotWithEarlierSeq,
        /// A snapshot with a level below zero.
        NegativeLevel,
        /// A snapshot that lists a level twice.
        DuplicateLevel,
        /// A snapshot with a level at 0.
        LevelAtZero,
        /// A snapshot with a level at a dollar.
        LevelAtOne,
        /// A snapshot that is crossed.
        CrossedSnapshot,
        /// A snapshot of a market that is not subscribed to.
        SnapshotOfOtherMarket,
        /// A market loses all its levels, and its snapshot has none.
        EmptyBook,
        /// A snapshot with fields that cannot be decoded.
        MalformedSnapshot,
        /// A numbered message of an unknown type instead of a change.
        UnknownType,
        /// A message of an unknown type, without a number, instead of a change.
        UnknownTypeWithoutSeq,
        /// A text that ends too early.
        BrokenJson,
        /// An empty text.
        EmptyText,
        /// JSON that is not an object.
        NotAnObject,
        /// A change without a price.
        MissingField,
        /// A change without a market.
        MissingMarket,
        /// A change whose fields have other types.
        WrongTypes,
        /// A change of a price outside the range.
        PriceOutOfRange,
        /// A change that removes more than there is.
        RemovesTooMuch,
        /// A change of neither side.
        UnknownSide,
        /// A change of a market that is not subscribed to.
        ChangeOfOtherMarket,
        /// Fields in another order, with escapes and unknown fields.
        OtherSpelling,
        /// An action that crosses the book in between.
        TransientCrossing,
        /// A book that stays crossed for a while.
        LastingCrossing,
        /// An `ok` for no command, without a list.
        UnrequestedOk,
        /// Error 25 for the subscription.
        Overflow,
        /// Error 25 without a subscription.
        OverflowOfAll,
        /// Error 10 for the subscription.
        ChannelFailed,
        /// An error for no command that does not end the subscription.
        StrayError,
        /// The subscription is ended as if the client had asked for it.
        Unsubscribed,
    }
    Clock {
        /// The clock of a market falls.
        ClockFalls,
        /// The clocks of all markets restart at 1.
        ClocksRestart,
        /// A clock far ahead, once.
        ClockLeaps,
        /// A change without a clock.
        ClockMissing,
        /// Two parts of an action with one clock, with a pause in between.
        EqualClocks,
        /// A snapshot that is older than the last change.
        SnapshotWithLowerClock,
    }
    Subscribe {
        /// The acknowledgement is lost.
        AckLost,
        /// The acknowledgement is sent twice.
        AckTwice,
        /// Snapshots and changes come before the acknowledgement.
        AckLate,
        /// The acknowledgement and all snapshots are lost, so the next one is merged without snapshots.
        MergedWithoutSnapshots,
        /// An `ok` without a list acknowledges the subscription.
        MergedWithoutList,
        /// Error 18 rejects the subscription.
        SubscribeTimedOut,
        /// Error 25 rejects the subscription, without its number.
        SubscribeOverflowed,
        /// The first snapshot is lost.
        FirstSnapshotLost,
        /// No snapshot comes.
        NoSnapshots,
        /// Changes come before the snapshots.
        FirstSnapshotsLate,
        /// From now on, more than one snapshot at once overflows the subscription.
        SnapshotBurst,
    }
    ClockSubscribe {
        /// Changes come before the snapshots, which are older.
        FirstSnapshotsOld,
    }
    Reply {
        /// A snapshot is not sent.
        ReplyLost,
        /// A requested snapshot is numbered as the frame before.
        ReplyUnnumbered,
        /// A requested snapshot comes late, numbered when it was made.
        ReplyLate,
        /// More changes than a stale book buffers, and then a snapshot from before them.
        BufferOverflow,
        /// A requested snapshot comes twice.
        ReplyTwice,
        /// A requested snapshot names another command.
        ReplyWithOtherId,
        /// A requested snapshot names no command.
        ReplyWithoutId,
        /// A requested snapshot cannot be decoded.
        ReplyMalformed,
        /// A requested snapshot lists a level twice.
        ReplyInvalid,
        /// A requested snapshot is of another market.
        ReplyOfOtherMarket,
        /// Only one of the requested snapshots comes.
        ReplyIncomplete,
        /// Error 14 rejects the request.
        ReplyRejected,
        /// Error 18 rejects the request.
        ReplyTimedOut,
        /// Error 27 rejects the request.
        ReplyRateLimited,
        /// An error with the subscription, but without the command.
        ErrorWithoutId,
        /// Error 25 replies to the request, without the subscription.
        ReplyOverflowed,
    }
    ClockReply {
        /// A requested snapshot is older than the last change.
        ReplyWithLowerClock,
        /// A requested snapshot is older than a change that was lost.
        ReplyFromBeforeLoss,
        /// The clock of a market falls before its requested snapshot.
        ReplyAfterClockFell,
    }
    Addition {
        /// Error 25 replies to the addition, without the subscription.
        AdditionOverflowed,
        /// Error 18 replies to the addition.
        AdditionTimedOut,
        /// The addition is not acknowledged.
        AdditionAckLost,
        /// The addition is acknowledged twice.
        AdditionAckTwice,
        /// The addition is acknowledged without a list.
        AdditionWithoutList,
        /// The addition is acknowledged without a snapshot.
        AdditionWithoutSnapshot,
    }
}
