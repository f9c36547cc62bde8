/** By which kept answers that speak of a session's turns are found when turns of it are deleted. */
export function transcriptSubject(sessionId: string): string {
  return `transcript:${sessionId}`
}
